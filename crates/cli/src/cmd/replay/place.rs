//! Where a reader goes on that names its last event.

use std::io::BufRead;

use tidewire_codec::Decoder;

use crate::recording::{Ending, Fault, Reader};

/// A place in a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The bytes before it.
    pub(super) skip: u64,
    /// Whether there is no event after it.
    pub(super) is_the_end: bool,
    /// How the recording ended, if it was read to its end.
    pub(super) ending: Option<Ending>,
}

impl Place {
    pub(super) const START: Self = Self {
        skip: 0,
        is_the_end: false,
        ending: None,
    };
}

/// The place right after the first block that set this id; the start where there is none.
pub(super) fn after<R: BufRead>(mut recording: Reader<R>, id: &str) -> Result<Place, Fault> {
    let mut decoder = Decoder::new();
    let (mut read, mut skip, mut events) = (0_u64, None, 0_u64);
    while let Some(chunk) = recording.next()? {
        if skip.is_some() {
            events += decoder.feed(&chunk.bytes).messages().count() as u64;
            continue;
        }
        // Byte by byte, as the decoder does not say where in a chunk a block ended.
        for byte in chunk.bytes {
            let came = decoder.feed(&[byte]).messages().count() as u64;
            read += 1;
            match skip {
                Some(_) => events += came,
                None if decoder.last_event_id() == id => skip = Some(read),
                None => {}
            }
        }
    }
    let ending = recording.last().map(|last| last.ending);
    Ok(Place {
        skip: skip.unwrap_or_default(),
        is_the_end: skip.is_some() && events == 0,
        ending,
    })
}
