//! The command line of `tidewire doctor`.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use reqwest::{Method, Url};

use crate::cmd::header::Header;
use crate::config::value::{HOUR, Span};
use crate::doctor::visit::Ask;
use crate::http::parse_url;
use crate::secrets::Secrets;

const AFTER_HELP: &str = "\
Exit codes:
  0  nothing to mend: all is fine, or there are only notes
  1  there are errors, or there was no answer
  2  the command line is wrong
  3  there are warnings, and no errors";

/// Opens a stream as a browser would, looks at it for a while, and says what is wrong, how bad it is
/// and how to mend it. For a GET, it also comes back as a reader would who lost the connection.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Doctor {
    /// The URL of the stream
    #[arg(value_parser = parse_url)]
    url: Url,

    /// The request's method [default: GET; POST with a body]
    #[arg(short = 'X', long = "request", value_name = "METHOD")]
    method: Option<Method>,

    /// Send this header too; may be given many times
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<Header>,

    /// Send this body; its Content-Type is application/json, unless -H says otherwise
    #[arg(short = 'd', long = "data")]
    data: Option<String>,

    /// Look at what a page of this origin may do, for example `https://app.example.com`
    #[arg(long)]
    origin: Option<Origin>,

    /// How long to look
    #[arg(long, value_name = "TIME", default_value = "20s")]
    wait: Span<1, HOUR>,

    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,

    /// Print URLs with their queries; without it, values that may be secrets are left out
    #[arg(long)]
    keep_secrets: bool,
}

impl Doctor {
    pub(super) fn wait(&self) -> Duration {
        self.wait.get()
    }

    pub(super) fn into_ask(self) -> Ask {
        let method = self.method.unwrap_or(match self.data {
            Some(_) => Method::POST,
            None => Method::GET,
        });
        Ask {
            url: self.url,
            method,
            headers: self.headers.into_iter().collect(),
            body: self.data,
            origin: self.origin.map(|Origin(origin)| origin),
            secrets: Secrets::kept(self.keep_secrets),
        }
    }
}

/// An origin as browsers write it: scheme, host and port, nothing else.
#[derive(Debug, Clone)]
struct Origin(String);

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = parse_url(text)?;
        let origin = url.origin().ascii_serialization();
        let rest = text.trim_end_matches('/').len() > origin.len() + ":443".len();
        match url.path() == "/" && url.query().is_none() && !rest {
            true => Ok(Self(origin)),
            false => Err(format!("an origin has no path: `{origin}`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Origin;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for (text, origin) in [
            ("https://App.example.com", Ok("https://app.example.com")),
            ("https://app.example.com:443/", Ok("https://app.example.com")),
            ("http://localhost:3000", Ok("http://localhost:3000")),
            ("https://app.example.com/path", Err(())),
            ("https://app.example.com?x", Err(())),
            ("app.example.com", Err(())),
            ("null", Err(())),
        ] {
            let parsed = text.parse::<Origin>().map(|Origin(origin)| origin);
            assert_eq!(parsed.as_deref().map_err(drop), origin, "{text}");
        }
    }
}
