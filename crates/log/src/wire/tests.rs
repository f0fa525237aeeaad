//! The bytes of each kind of entry, written down: the wire form does not change without a test that says so.
