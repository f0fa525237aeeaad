//! A trouble that a loop meets again and again: logged when it comes, when it changes, and when it is over.

use std::fmt::Display;

use parking_lot::Mutex;

/// What was logged last, if it is not over.
#[derive(Debug, Default)]
pub struct Trouble(Mutex<Option<String>>);

impl Trouble {
    /// Takes note of how one more round went, and logs what is new: `what` cannot be done, and why.
    pub fn note(&self, what: &str, error: Option<&dyn Display>) {
        match (self.is_news(error), error) {
            (true, Some(error)) => tracing::warn!(%error, "cannot {what}: trying again"),
            (true, None) => tracing::info!("can {what} again"),
            (false, _) => {}
        }
    }

    fn is_news(&self, error: Option<&dyn Display>) -> bool {
        let now = error.map(ToString::to_string);
        let mut said = self.0.lock();
        let is_news = *said != now;
        *said = now;
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_news_once_and_when_it_changes() {
        let trouble = Trouble::default();
        let rounds: [(Option<&dyn Display>, bool); 7] = [
            (None, false),
            (Some(&"full"), true),
            (Some(&"full"), false),
            (Some(&"damaged"), true),
            (Some(&"damaged"), false),
            (None, true),
            (None, false),
        ];
        for (number, (error, is_news)) in rounds.into_iter().enumerate() {
            assert_eq!(trouble.is_news(error), is_news, "round {number}");
        }
    }
}
