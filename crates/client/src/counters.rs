//! What a source has done so far, in numbers.

use std::time::Duration;

/// The numbers of a source; see [`EventSource::counters`](crate::EventSource::counters).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Attempts to open a stream, the first one included.
    pub attempts: u64,
    /// Streams that opened.
    pub opens: u64,
    /// Bytes of streams, unpacked.
    pub bytes: u64,
    /// Events that were handed out.
    pub events: u64,
    /// Gaps that the server told of.
    pub gaps: u64,
    /// Events over a limit, which were skipped.
    pub overlong: u64,
    /// Items that were read and wait to be taken.
    pub waiting: u64,
    /// How long the event that was handed out last had waited for that since its bytes were read. It grows when
    /// the reader is slower than the stream; then the rest waits in the sockets, and with the server.
    pub lag: Duration,
}
