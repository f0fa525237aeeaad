//! The file `meta`: which log it is, its epochs, and how it was left.

use std::io;

use super::{
    disk::Disk,
    format::{Damaged, Fields, LogId, VERSION, version},
    paged::{read, replace},
};
use crate::{Epoch, Seq, archive::shortage::Told, ids::Epochs};

const NAME: &str = "meta";
const MAGIC: [u8; 8] = *b"TIDEWMET";
pub(crate) const SEED: u32 = 0x7469_6465;

/// See the module's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) log: LogId,
    /// Oldest first, and where each begins.
    pub(crate) epochs: Vec<(Epoch, Seq)>,
    /// What was acknowledged is on disk, whatever has happened: the log was closed in order, or each batch was safe before
    /// it was acknowledged.
    pub(crate) is_whole: bool,
}

impl Meta {
    /// The order begins an epoch with this number. One without a record is replaced.
    pub(crate) fn begin_epoch(&mut self, epoch: Epoch, first: Seq) {
        let epochs = Epochs::of_log(std::mem::take(&mut self.epochs));
        epochs.begin(epoch, first);
        self.epochs = epochs.list();
    }

    pub(crate) fn save(&self, disk: &dyn Disk) -> io::Result<()> {
        let mut out = Vec::new();
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        out.extend(self.log);
        out.push(u8::from(self.is_whole));
        out.extend(u32::try_from(self.epochs.len()).unwrap_or(u32::MAX).to_le_bytes());
        for (epoch, first) in &self.epochs {
            out.extend(epoch.to_string().as_bytes());
            out.extend(first.0.to_le_bytes());
        }
        replace(disk, NAME, &out, SEED)
    }

    /// None if there is no such file: the log is new.
    pub(crate) fn load(disk: &dyn Disk) -> io::Result<Option<Self>> {
        match read(disk, NAME, SEED) {
            Ok(content) => {
                let meta = Self::decode(&content);
                let damaged = |why: Damaged| io::Error::new(why.kind(), format!("{NAME}: {why}"));
                meta.map(Some).map_err(damaged)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(error), // It says which file.
            Err(error) => Err(Told::of(&error, format!("{NAME}: {error}"))),
        }
    }

    fn decode(content: &[u8]) -> Result<Self, Damaged> {
        let mut fields = Fields(content);
        if fields.array()? != MAGIC {
            return Err(Damaged("it does not say which log this is"));
        }
        version(fields.u32()?)?;
        let log = fields.array()?;
        let [is_whole] = fields.array()?;
        let count = fields.u32()?;
        let mut epochs = Vec::new();
        for _ in 0..count {
            let name: [u8; 8] = fields.array()?;
            let epoch = str::from_utf8(&name).ok().and_then(|name| name.parse().ok());
            epochs.push((
                epoch.ok_or(Damaged("an epoch's name cannot be"))?,
                Seq(fields.u64()?),
            ));
        }
        fields.end()?;
        if is_whole > 1 {
            return Err(Damaged("it does not say how the log was left"));
        }
        Ok(Self {
            log,
            epochs,
            is_whole: is_whole == 1,
        })
    }
}
