//! Shares of a budget of bytes: what counts in all, for callers without a token, and for each of their networks.

use std::{collections::HashMap, net::IpAddr};

use crate::guard::Principal;

/// How many bytes may be held at a time.
#[derive(Debug, Clone, Copy)]
pub struct Shares {
    /// In all.
    pub max: usize,
    /// For callers without a token.
    pub max_without_token: Option<usize>,
    /// For callers without a token from one network.
    pub max_per_network: Option<usize>,
}

/// A part of a budget that has a bound of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Share {
    All,
    WithoutToken,
    Network(IpAddr),
}

/// The caller for whom bytes are held, as far as shares go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holder {
    pub(crate) has_token: bool,
    pub(crate) network: Option<IpAddr>,
}

/// The bytes that are held of each share. Shares of which none are held take no room.
#[derive(Debug, Default)]
pub(crate) struct Taken(HashMap<Share, usize>);

impl Default for Shares {
    /// 256 MiB in all, without shares.
    fn default() -> Self {
        Self {
            max: 256 << 20,
            max_without_token: None,
            max_per_network: None,
        }
    }
}

impl Shares {
    /// The shares that the bytes of a caller count in, with their bounds.
    pub(crate) fn of(self, holder: Holder) -> impl Iterator<Item = (Share, usize)> {
        let without_token = self.max_without_token.map(|max| (Share::WithoutToken, max));
        let network = holder.network.zip(self.max_per_network);
        let network = network.map(|(network, max)| (Share::Network(network), max));
        let of_strangers = without_token.into_iter().chain(network);
        let all = (Share::All, self.max);
        std::iter::once(all).chain(of_strangers.filter(move |_| !holder.has_token))
    }
}

impl Holder {
    pub(crate) fn of(caller: &Principal) -> Self {
        Self {
            has_token: caller.token().is_some(),
            network: caller.network(),
        }
    }
}

impl Taken {
    pub(crate) fn of(&self, share: Share) -> usize {
        self.0.get(&share).copied().unwrap_or_default()
    }

    /// So many bytes are held in place of so many.
    pub(crate) fn change(&mut self, share: Share, from: usize, to: usize) {
        let held = self.0.entry(share).or_default();
        *held = *held - from + to;
        if *held == 0 {
            self.0.remove(&share);
        }
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
