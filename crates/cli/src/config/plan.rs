//! What a start makes of the settings before it binds and opens the log: `tidewire config --check` makes the same.

use tidewire_doors::guard::Guard;
use tidewire_relay::{
    self as relay,
    config::{Owner, RouteAuth},
};

use super::load::ConfigError;
use super::relay::USUAL_PATH;
use super::{Config, variables};

/// See the module.
pub(crate) struct Plan {
    /// Knows no routes of the relay yet.
    pub(crate) guard: Guard,
    /// The routes of the relay, with their keys, but that to the demo.
    pub(crate) routes: Vec<relay::Route>,
    /// Where the relay asks the demo, so that official clients have something to talk to at the first run.
    pub(crate) demo_path: Option<&'static str>,
    /// What is dangerous, though it works.
    pub(crate) warnings: Vec<String>,
    /// Defaults that are others than those of an older version, and make a difference to these settings.
    pub(crate) notices: Vec<String>,
}

impl Config {
    /// Reads what the settings name, and refuses what cannot be or would let everybody in.
    ///
    /// # Errors
    /// A token file cannot be read or is wrong, a key is missing, a route is where the demo is, or the server would be
    /// open to other machines without tokens.
    pub(crate) fn plan(&self) -> Result<Plan, ConfigError> {
        let (guard, mut warnings) = self.guard().map_err(ConfigError)?;
        warnings.extend(variables::unknown(&self.relay.key_variables()));
        let mut routes = self.relay.build()?;
        let has_demo = self.demo.unwrap_or_default();
        let is_demo = |route: &&relay::Route| matches!(route.path.split('/').nth(1), Some("chat" | "demo"));
        if let Some(route) = routes.iter().find(is_demo).filter(|_| has_demo) {
            return Err(ConfigError(format!(
                "the relay route {}: the demo and its pages are there: choose another path, or --no-demo",
                route.path
            )));
        }
        let demo_path = (has_demo && !self.relay.has_usual()).then_some(USUAL_PATH);
        for route in &mut routes {
            route.token_cookies = self.token_cookies();
        }
        let notices = self.notices(&routes);
        Ok(Plan {
            guard,
            routes,
            demo_path,
            warnings,
            notices,
        })
    }

    fn notices(&self, routes: &[relay::Route]) -> Vec<String> {
        let mut notices = Vec::new();
        let has_tokens = self.wants_read_token() || self.wants_publish_token();
        for route in routes {
            let path = &route.path;
            let needed_none = route.key.is_none() || route.owner != Owner::Capability;
            if has_tokens && route.auth == RouteAuth::Token && needed_none {
                let keep = match route.key {
                    None => {
                        "; if the upstream checks its callers itself, auth = \"upstream\" in the route leaves it to that"
                    }
                    Some(_) => "",
                };
                notices.push(format!(
                    "the relay route {path} needs a token now (read or publish), as `Tidewire-Token` or as \
                     `Authorization: Bearer` where that is not the upstream's{keep}"
                ));
            }
            if let (Owner::Header(name), None, true) =
                (&route.owner, &self.trusted_proxies, self.listen.is_open())
            {
                notices.push(format!(
                    "the relay route {path}: its owner, the header {name}, counts only from trusted proxies now, and \
                     there are none: name yours (trusted_proxies = [\"10.0.0.7\"])"
                ));
            }
        }
        if has_tokens && self.access.cookies.len() > 1 {
            notices.push(
                "tokens count in several cookies (access.cookies), the first name first; before, only `tidewire_token` did: \
                 access.cookies = [\"tidewire_token\"] leaves it at that"
                    .into(),
            );
        }
        notices
    }
}
