//! Query parameters: each known by name, each given once.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use vigie_common::text::{inert, nearest};
use vigie_web::{Problem, Visitor};

use crate::query::range::{self, Range};

/// The parameters of a request.
#[derive(Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads them; those that are not `known` are refused.
    pub(super) fn parse(query: Option<&str>, known: &[&str]) -> Result<Self, Problem> {
        let decoded = serde_urlencoded::from_str::<Vec<(String, String)>>(query.unwrap_or_default());
        let all = decoded.map_err(|_| Problem::bad_parameter("", "the query is not form-encoded"))?;
        for (index, (name, _)) in all.iter().enumerate() {
            let shown = inert(name, 40);
            if !known.contains(&name.as_str()) {
                let message = match nearest(name, known.iter().copied()) {
                    Some(meant) => format!("unknown parameter: did you mean `{meant}`?"),
                    None if known.is_empty() => "unknown parameter: none is known here".to_owned(),
                    None => format!("unknown parameter: known here are {}", known.join(", ")),
                };
                return Err(Problem::bad_parameter(shown, message));
            }
            if all.iter().take(index).any(|(other, _)| other == name) {
                return Err(Problem::bad_parameter(shown, "given more than once"));
            }
        }
        Ok(Self(all))
    }

    /// The text of one; none where it is missing or empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, value)| key == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    /// One that is read as a value.
    pub(super) fn value<T: FromStr<Err = String>>(&self, name: &str) -> Result<Option<T>, Problem> {
        self.get(name).map(str::parse).transpose().map_err(|message| Problem::bad_parameter(name, message))
    }

    /// A number within bounds.
    pub(super) fn number(&self, name: &str, usual: usize, most: usize) -> Result<usize, Problem> {
        let Some(text) = self.get(name) else { return Ok(usual) };
        let number = text.parse().ok().filter(|number| (1..=most).contains(number));
        number.ok_or_else(|| Problem::bad_parameter(name, format!("write a number from 1 to {most}")))
    }

    /// `from` and `to`.
    pub(super) fn range(&self, now: Timestamp) -> Result<Range, Problem> {
        let range = Range::parse(self.get("from"), self.get("to"), now);
        range.map_err(|(name, message)| Problem::bad_parameter(name, message))
    }

    /// `tz`.
    pub(super) fn zone(&self) -> Result<TimeZone, Problem> {
        range::zone(self.get("tz")).map_err(|message| Problem::bad_parameter("tz", message))
    }

    /// `account`, if the visitor may see it.
    pub(super) fn account(&self, visitor: &Visitor) -> Result<Option<String>, Problem> {
        match self.get("account") {
            // The same words whether it exists or not.
            Some(account) if !visitor.sees(account) => {
                Err(Problem::forbidden(format!("you do not see an account `{}`", inert(account, 40))))
            }
            account => Ok(account.map(str::to_owned)),
        }
    }
}

/// Name of a zone, as it is answered.
pub(super) fn zone_name(zone: &TimeZone) -> String {
    zone.iana_name().unwrap_or("UTC").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_refused_with_what_was_meant() {
        let refused = |query| format!("{:?}", Params::parse(Some(query), &["from", "bucket"]).unwrap_err());
        assert!(refused("form=now").contains("did you mean `from`?"));
        assert!(refused("from=now&from=now-1d").contains("given more than once"));
        let params = Params::parse(Some("from=now-1d%2B&bucket="), &["from", "bucket"]).unwrap();
        assert_eq!((params.get("from"), params.get("bucket")), (Some("now-1d+"), None));
        assert_eq!(params.number("limit", 10, 50).unwrap(), 10);
    }
}
