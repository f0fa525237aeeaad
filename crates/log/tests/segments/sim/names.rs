//! Which names stand for which files: those that are seen, those that are safe, and what lies between.

use std::{collections::BTreeMap, io};

use fastrand::Rng;

use super::not_found;

#[derive(Clone, Copy)]
pub(super) enum Node {
    File(usize),
    Folder,
}

type Map = BTreeMap<String, Node>;

#[derive(Clone, Default)]
pub(super) struct Names {
    live: Map,
    safe: Map,
    pending: Vec<Change>,
}

/// What has been done to names and is not safe. Each is done or not, never half.
#[derive(Clone)]
enum Change {
    Set(String, Node),
    Remove(String),
    Rename(String, String, Node),
}

impl Change {
    fn touches(&self, folder: &str) -> bool {
        match self {
            Self::Set(name, _) | Self::Remove(name) => folder_of(name) == folder,
            Self::Rename(from, to, _) => folder_of(from) == folder || folder_of(to) == folder,
        }
    }

    fn apply(&self, map: &mut Map) {
        match self {
            Self::Set(name, node) => drop(map.insert(name.clone(), *node)),
            Self::Remove(name) => drop(map.remove(name)),
            Self::Rename(from, to, node) => {
                map.remove(from);
                map.insert(to.clone(), *node);
            }
        }
    }
}

fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn has_folder(map: &Map, folder: &str) -> bool {
    folder.is_empty() || matches!(map.get(folder), Some(Node::Folder))
}

impl Names {
    pub(super) fn files(&self) -> impl Iterator<Item = (&String, usize)> {
        self.live.iter().filter_map(|(name, node)| match node {
            Node::File(id) => Some((name, *id)),
            Node::Folder => None,
        })
    }

    pub(super) fn file(&self, name: &str) -> Option<usize> {
        match self.live.get(name)? {
            Node::File(id) => Some(*id),
            Node::Folder => None,
        }
    }

    pub(super) fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        if !has_folder(&self.live, folder) {
            return Err(not_found(folder));
        }
        let inside = self.files().filter(|(name, _)| folder_of(name) == folder);
        Ok(inside
            .map(|(name, _)| name.rsplit('/').next().unwrap().to_owned())
            .collect())
    }

    /// Whether there is the folder that a file is to be in.
    pub(super) fn check_folder(&self, name: &str) -> io::Result<()> {
        match has_folder(&self.live, folder_of(name)) {
            true => Ok(()),
            false => Err(not_found(folder_of(name))),
        }
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.live);
        self.pending.push(change);
    }

    pub(super) fn set(&mut self, name: &str, id: usize) {
        self.change(Change::Set(name.into(), Node::File(id)));
    }

    pub(super) fn make_folder(&mut self, folder: &str) {
        if !has_folder(&self.live, folder) {
            self.change(Change::Set(folder.into(), Node::Folder));
        }
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.check_folder(to)?;
        let id = self.file(from).ok_or_else(|| not_found(from))?;
        self.change(Change::Rename(from.into(), to.into(), Node::File(id)));
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str) -> io::Result<()> {
        self.file(name).ok_or_else(|| not_found(name))?;
        self.change(Change::Remove(name.into()));
        Ok(())
    }

    pub(super) fn sync(&mut self, folder: &str) -> io::Result<()> {
        if !has_folder(&self.live, folder) {
            return Err(not_found(folder));
        }
        for change in self.pending.extract_if(.., |change| change.touches(folder)) {
            change.apply(&mut self.safe);
        }
        Ok(())
    }

    pub(super) fn put(&mut self, name: &str, node: Node) {
        self.live.insert(name.into(), node);
        self.safe.insert(name.into(), node);
    }

    pub(super) fn take(&mut self, name: &str) {
        self.live.remove(name);
        self.safe.remove(name);
    }

    /// The names when power is back.
    pub(super) fn after_crash(&self, rng: &mut Rng) -> Self {
        let mut found = self.safe.clone();
        let way = rng.u8(..6);
        for change in &self.pending {
            let kept = match way {
                0 => false,
                1 => true,
                _ => rng.bool(),
            };
            if kept {
                change.apply(&mut found);
            }
        }
        // Without its folder a file is not found.
        let folders = found.clone();
        found.retain(|name, _| has_folder(&folders, folder_of(name)));
        Self {
            live: found.clone(),
            safe: found,
            pending: Vec::new(),
        }
    }
}
