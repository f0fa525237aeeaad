//! Where a stream can be read again after a hole in it: after the next blank line.

/// Looks for the blank line that ends the event a hole is in.
#[derive(Default)]
pub(super) struct UntilBlank {
    /// The line before is over, and this one has nothing so far.
    at_line_start: bool,
    after_cr: bool,
}

/// What is left of the bytes when the rest of a spoilt event is taken off.
pub(super) fn passed_over<'b>(looking: &mut Option<UntilBlank>, bytes: &'b [u8]) -> &'b [u8] {
    let Some(state) = looking else { return bytes };
    for (index, byte) in bytes.iter().enumerate() {
        let ends_cr = std::mem::replace(&mut state.after_cr, *byte == b'\r') && *byte == b'\n';
        match byte {
            _ if ends_cr => {}
            b'\r' | b'\n' if state.at_line_start => {
                *looking = None;
                return &bytes[index + 1..];
            }
            b'\r' | b'\n' => state.at_line_start = true,
            _ => state.at_line_start = false,
        }
    }
    &[]
}
