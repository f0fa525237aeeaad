//! Where a connection breaks or goes silent: `cut@N`, `stall@N`.

use std::{fmt, str::FromStr};

/// What happens to a body, and after how many of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(super) kind: Kind,
    pub(super) at: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The connection breaks.
    Cut,
    /// Nothing comes any more, and nobody is told.
    Stall,
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "give `cut@N` or `stall@N`: after how many bytes of a body it happens".to_owned();
        let (kind, at) = text.split_once('@').ok_or_else(wrong)?;
        let kind = match kind {
            "cut" => Kind::Cut,
            "stall" => Kind::Stall,
            _ => return Err(wrong()),
        };
        let at = at.parse().map_err(|_| wrong())?;
        Ok(Self { kind, at })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            Kind::Cut => "to be cut",
            Kind::Stall => "to go silent",
        };
        write!(f, "{what} after {} bytes", self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Kind};

    #[test]
    fn a_fault_says_what_happens_and_when() {
        let fault = |kind, at| Ok(Fault { kind, at });
        assert_eq!("cut@0".parse(), fault(Kind::Cut, 0));
        assert_eq!("stall@120".parse(), fault(Kind::Stall, 120));
        for wrong in ["", "cut", "cut@", "cut@x", "cut@-1", "burn@3", "@3"] {
            assert!(wrong.parse::<Fault>().unwrap_err().contains("cut@N"), "{wrong}");
        }
    }
}
