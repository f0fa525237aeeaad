//! Errors of a system that is short of something for now.

use std::{error, fmt, io};

use rustix::io::Errno;

/// An error with words of its own that keeps the system's number.
#[derive(Debug)]
pub struct Told {
    text: String,
    number: Option<i32>,
}

impl Told {
    /// The same error in other words.
    pub fn of(error: &io::Error, text: String) -> io::Error {
        let number = number(error);
        io::Error::new(error.kind(), Self { text, number })
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl error::Error for Told {}

fn number(error: &io::Error) -> Option<i32> {
    let told = || error.get_ref()?.downcast_ref::<Told>()?.number;
    error.raw_os_error().or_else(told)
}

/// Whether the process or the system has too few descriptors or too little memory at the moment. Nothing is wrong with a disk
/// then, and the next try may do.
pub fn is_shortage(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, OutOfMemory, WouldBlock};
    let has_number = |errno: Errno| number(error) == Some(errno.raw_os_error());
    matches!(error.kind(), Interrupted | OutOfMemory | WouldBlock)
        || has_number(Errno::MFILE)
        || has_number(Errno::NFILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_is_one_in_other_words_too() {
        for (errno, is) in [
            (Errno::MFILE, true),
            (Errno::NFILE, true),
            (Errno::NOMEM, true),
            (Errno::AGAIN, true),
            (Errno::INTR, true),
            (Errno::NOSPC, false),
            (Errno::IO, false),
            (Errno::NOENT, false),
        ] {
            let error = io::Error::from(errno);
            let told = Told::of(&error, "cannot open x".into());
            let again = Told::of(&told, "meta: cannot open x".into());
            assert_eq!(again.to_string(), "meta: cannot open x");
            assert_eq!([&error, &told, &again].map(is_shortage), [is; 3], "{errno:?}");
        }
        assert!(!is_shortage(&io::Error::other("x")));
    }
}
