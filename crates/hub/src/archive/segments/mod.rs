//! The archive on disk: a log in segments.

mod disk;
mod real_disk;

pub use disk::{Disk, DiskFile};
pub use real_disk::RealDisk;
