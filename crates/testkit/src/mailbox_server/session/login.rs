//! LOGIN and AUTHENTICATE PLAIN.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Done, Session, bad, no, ok};
use crate::mailbox_server::command::Arguments;

impl<S: AsyncRead + AsyncWrite + Unpin> Session<'_, S> {
    pub(super) fn log_in(&mut self, user: &str, password: &str) -> io::Result<Done> {
        self.account = self.service.log_in(user, password);
        if self.account.is_none() {
            return no("[AUTHENTICATIONFAILED] wrong user or password");
        }
        ok(&format!("[CAPABILITY {}] logged in", self.capabilities()))
    }

    pub(super) async fn authenticate(&mut self, arguments: &mut Arguments) -> io::Result<Done> {
        let mechanism = arguments.atom().unwrap_or_default();
        if !mechanism.eq_ignore_ascii_case("PLAIN") || !self.service.has("AUTH=PLAIN") {
            return no("this mechanism is not known");
        }
        let response = match arguments.atom() {
            Some(_) if !self.service.has("SASL-IR") => return bad("no initial response here"),
            Some(initial) => initial.into_bytes().into(),
            None => {
                self.say("+ \r\n").await?;
                let Some(line) = self.line().await? else { return Ok(Done::Over) };
                line
            }
        };
        if response.as_ref() == b"*" {
            return bad("given up");
        }
        let Some(plain) = STANDARD.decode(&response).ok().and_then(|bytes| String::from_utf8(bytes).ok())
        else {
            return bad("this is not base64");
        };
        let mut fields = plain.split('\0');
        match (fields.next(), fields.next(), fields.next(), fields.next()) {
            (Some(_), Some(user), Some(password), None) => self.log_in(user, password),
            _ => bad("PLAIN has three fields"),
        }
    }
}
