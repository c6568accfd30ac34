//! Gathers the defects of one message, a bounded number of each kind.

use vigie_common::document::{Code, Defect};

use super::limits;

/// The defects found so far.
#[derive(Debug, Default)]
pub(crate) struct Defects(Vec<Defect>);

impl Defects {
    /// Notes a defect of the message as a whole.
    pub(crate) fn note(&mut self, code: Code, detail: impl Into<String>) {
        self.push(code, None, detail.into());
    }

    /// Notes a defect of one part; the root of a message of several parts has no id.
    pub(crate) fn note_in(&mut self, part: &str, code: Code, detail: impl Into<String>) {
        self.push(code, (!part.is_empty()).then(|| part.to_owned()), detail.into());
    }

    fn push(&mut self, code: Code, part: Option<String>, detail: String) {
        let defect = Defect { code, part, detail };
        let same = self.0.iter().filter(|known| known.code == code).count();
        if same < limits::DEFECTS_OF_A_CODE && !self.0.contains(&defect) {
            self.0.push(defect);
        }
    }

    /// All of them, in the order in which they were found.
    pub(crate) fn into_vec(self) -> Vec<Defect> {
        self.0
    }
}

/// The beginning of a text of the message, fit for a defect's detail.
pub(crate) fn quote(text: &str) -> String {
    let mut short: String = text.chars().take(80).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("\"{short}\"")
}
