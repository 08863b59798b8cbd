//! The dialog that confirms an act: built from a permit, Cancel focused every time, never confirmed by the key that opened it.

use std::collections::BTreeMap;

use crate::domain::calendar::{Drafted, Line};
use crate::domain::situation::{Permit, Request};

use super::edit::Edit;
use super::key::{Code, Key};

/// One line to fill in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Key in the request; `None`: the word that must be typed.
    pub key: Option<String>,
    /// Label.
    pub label: String,
    /// May not be left empty.
    pub required: bool,
    /// The word that it must hold.
    pub expects: Option<String>,
    /// What it holds.
    pub edit: Edit,
}

impl Field {
    /// What is missing, if anything.
    #[must_use]
    pub fn lacks(&self) -> Option<String> {
        match &self.expects {
            Some(word) if self.edit.text() != word => Some(format!("type \"{word}\" to confirm")),
            None if self.required && self.edit.text().trim().is_empty() => {
                Some(format!("{} is missing", self.label))
            }
            _ => None,
        }
    }
}

/// What has the focus in a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// A field.
    Field(usize),
    /// The button that does nothing.
    Cancel,
    /// The button that acts.
    Confirm,
}

/// An act to confirm.
#[derive(Clone, Debug, PartialEq)]
pub struct Dialog {
    /// The action's verb, on the button.
    pub verb: &'static str,
    /// The permit as it was given.
    pub permit: Permit,
    /// The key that opened it, or led on to the button that acts: it never confirms.
    pub opener: Key,
    /// Lines to fill in; the typed word last.
    pub fields: Vec<Field>,
    /// What has the focus.
    pub spot: Spot,
    /// First line of the body drawn.
    pub scroll: usize,
    /// The target or the rules moved since it was opened.
    pub moved: bool,
    /// What was missing when it was confirmed.
    pub complaint: Option<String>,
    /// What is typed is judged as it is typed; `None`: only when it is confirmed.
    pub live: Option<Live>,
}

/// What the rules say of what is typed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Live {
    /// What was judged.
    pub inputs: BTreeMap<String, String>,
    /// Field and what is wrong with it.
    pub problems: Vec<(String, String)>,
    /// What would come of it.
    pub lines: Vec<Line>,
}

/// What a key came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It stays open.
    Open,
    /// It closes and nothing was done.
    Cancelled,
    /// It is confirmed.
    Confirmed(Request),
}

impl Dialog {
    /// Opens on a permit, with Cancel focused.
    #[must_use]
    pub fn new(verb: &'static str, permit: Permit, opener: Key) -> Self {
        let inputs = permit.inputs.iter().map(|i| Field {
            key: Some(i.key.clone()),
            label: i.label.clone(),
            required: i.required,
            expects: i.expects().map(str::to_owned),
            edit: Edit::new(i.default.clone()),
        });
        let word = permit.typed.iter().map(|word| Field {
            key: Some("typed".into()),
            label: format!("type {word}"),
            required: true,
            expects: Some(word.clone()),
            edit: Edit::default(),
        });
        Self {
            verb,
            fields: inputs.chain(word).collect(),
            permit,
            opener,
            spot: Spot::Cancel,
            scroll: 0,
            moved: false,
            complaint: None,
            live: None,
        }
    }

    /// A form: the first field has the focus, and what is typed is judged at once. Typing confirms nothing.
    #[must_use]
    pub fn form(verb: &'static str, permit: Permit, opener: Key) -> Self {
        Self {
            spot: Spot::Field(0),
            live: Some(Live::default()),
            ..Self::new(verb, permit, opener)
        }
    }

    /// Fills fields in.
    pub fn fill(&mut self, with: &BTreeMap<String, String>) {
        for f in &mut self.fields {
            if let Some(text) = f.key.as_ref().and_then(|key| with.get(key)) {
                f.edit = Edit::new(text.clone());
            }
        }
    }

    /// Takes in what the rules say; what was typed in the meantime is judged again.
    pub fn judged(&mut self, inputs: &BTreeMap<String, String>, draft: &Drafted) {
        if let Some(live) = &mut self.live {
            *live = Live {
                inputs: inputs.clone(),
                problems: draft.problems.clone(),
                lines: draft.lines.clone(),
            };
        }
    }

    /// What is wrong with a field, as far as it was judged.
    #[must_use]
    pub fn problem(&self, field: &Field) -> Option<&str> {
        let key = field.key.as_ref()?;
        let problems = &self.live.as_ref()?.problems;
        let found = problems.iter().find(|(k, _)| k == key)?;
        Some(found.1.as_str())
    }

    /// The key that confirms when the button is focused: Enter, or Space where Enter opened it or led there.
    #[must_use]
    pub fn confirm_key(&self) -> Key {
        if self.opener == Key::plain(Code::Enter) {
            Key::char(' ')
        } else {
            Key::plain(Code::Enter)
        }
    }

    /// The wish, as typed.
    #[must_use]
    pub fn request(&self) -> Request {
        let inputs: BTreeMap<String, String> = self
            .fields
            .iter()
            .filter_map(|f| Some((f.key.clone()?, f.edit.text().to_string())))
            .collect();
        Request {
            action: self.permit.action.clone(),
            basis: self.permit.basis.clone(),
            inputs,
        }
    }

    /// What stands against confirming.
    #[must_use]
    pub fn lacks(&self) -> Option<String> {
        if self.moved {
            return Some("what you saw has moved since; go back and look again".into());
        }
        if let Some(live) = &self.live {
            if live.inputs != self.request().inputs {
                return Some("what you typed is being read; once more".into());
            }
            if let Some((_, why)) = live.problems.first() {
                return Some(why.clone());
            }
        }
        self.fields.iter().find_map(Field::lacks)
    }

    /// Handles a key.
    pub fn key(&mut self, key: Key) -> Answer {
        if key.code == Code::Esc {
            return Answer::Cancelled;
        }
        match key.code {
            Code::Tab | Code::Down => self.turn(true),
            Code::BackTab | Code::Up => self.turn(false),
            Code::PageDown => self.scroll = self.scroll.saturating_add(3),
            Code::PageUp => self.scroll = self.scroll.saturating_sub(3),
            _ => return self.at_spot(key),
        }
        Answer::Open
    }

    fn at_spot(&mut self, key: Key) -> Answer {
        let press = matches!(key.code, Code::Enter | Code::Char(' ')) && !key.ctrl && !key.alt;
        match self.spot {
            Spot::Field(i) => {
                if key.code == Code::Enter {
                    self.next(i);
                } else if let Some(f) = self.fields.get_mut(i) {
                    f.edit.key(key);
                    self.complaint = None;
                }
            }
            Spot::Cancel if press => return Answer::Cancelled,
            Spot::Confirm if key == self.confirm_key() => return self.confirm(),
            // The form's own word; in a field it is a letter.
            Spot::Confirm if self.live.is_some() && key == Key::char('w') => return self.confirm(),
            Spot::Cancel | Spot::Confirm => match key.code {
                Code::Left | Code::Right => {
                    self.spot = if self.spot == Spot::Cancel {
                        Spot::Confirm
                    } else {
                        Spot::Cancel
                    };
                }
                // Where one line alone is to be filled in, typing goes into it; with several a person chooses.
                _ if key.types().is_some_and(|c| c != ' ') && key != self.opener => {
                    let mut lacking = (0..self.fields.len())
                        .filter(|i| self.fields.get(*i).is_some_and(|f| f.lacks().is_some()));
                    if let (Some(i), None) = (lacking.next(), lacking.next()) {
                        self.spot = Spot::Field(i);
                        return self.at_spot(key);
                    }
                }
                _ => {}
            },
        }
        Answer::Open
    }

    fn confirm(&mut self) -> Answer {
        match self.lacks() {
            None => Answer::Confirmed(self.request()),
            Some(why) => {
                self.complaint = Some(why);
                let wrong = |f: &Field| f.lacks().is_some() || self.problem(f).is_some();
                if let Some(i) = self.fields.iter().position(wrong) {
                    self.spot = Spot::Field(i);
                }
                Answer::Open
            }
        }
    }

    /// Pastes into the focused field; `false` where none is focused.
    pub fn paste(&mut self, text: &str) -> bool {
        let Spot::Field(i) = self.spot else {
            return false;
        };
        if let Some(f) = self.fields.get_mut(i) {
            f.edit.paste(text);
        }
        true
    }

    /// Enter leaves a field for the next. Who typed the word in full and lacks nothing means it: the button that acts comes next,
    /// and wants another key, so that an Enter that is held down or pasted acts on nothing.
    fn next(&mut self, field: usize) {
        let word = self.fields.get(field).is_some_and(|f| f.expects.is_some());
        if word && self.lacks().is_none() {
            self.spot = Spot::Confirm;
            self.opener = Key::plain(Code::Enter);
        } else {
            self.turn(true);
        }
    }

    fn turn(&mut self, on: bool) {
        let mut spots: Vec<Spot> = (0..self.fields.len()).map(Spot::Field).collect();
        spots.extend([Spot::Cancel, Spot::Confirm]);
        let at = spots.iter().position(|s| *s == self.spot).unwrap_or(0);
        let step = if on { 1 } else { spots.len() - 1 };
        if let Some(spot) = spots.get((at + step) % spots.len()) {
            self.spot = *spot;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::fixture;

    fn press(d: &mut Dialog, keys: &[&str]) -> Answer {
        let mut last = Answer::Open;
        for k in keys {
            last = d.key(Key::parse(k).unwrap());
        }
        last
    }

    fn dialog(opener: &str) -> Dialog {
        Dialog::new(
            "roll back",
            fixture::rollback_permit(),
            Key::parse(opener).unwrap(),
        )
    }

    #[test]
    fn cancel_is_focused_and_enter_alone_does_nothing() {
        let mut d = dialog("R");
        assert_eq!(d.spot, Spot::Cancel);
        assert_eq!(press(&mut d, &["enter"]), Answer::Cancelled);
    }

    #[test]
    fn the_opening_key_never_confirms() {
        for opener in ["R", "space", "enter"] {
            let mut d = dialog(opener);
            for f in &mut d.fields {
                f.edit = Edit::new(f.expects.clone().unwrap_or("why".into()));
            }
            d.spot = Spot::Confirm;
            assert_eq!(press(&mut d, &[opener]), Answer::Open, "{opener}");
            let key = d.confirm_key();
            d.spot = Spot::Confirm;
            assert!(matches!(d.key(key), Answer::Confirmed(_)), "{opener}");
        }
    }

    #[test]
    fn the_name_must_be_typed() {
        let mut d = dialog("R");
        press(&mut d, &["tab", "enter"]);
        assert!(d.complaint.is_some());
        assert!(matches!(d.spot, Spot::Field(_)));
        // Half of the word goes on to Cancel; the whole word to the button that acts, which wants another key.
        press(&mut d, &["c", "h", "e", "c", "k", "enter"]);
        assert_eq!(d.spot, Spot::Cancel);
        assert_eq!(press(&mut d, &["o", "u", "t", "enter"]), Answer::Open);
        assert_eq!(d.spot, Spot::Confirm);
        assert_eq!(
            press(&mut d, &["enter", "enter"]),
            Answer::Open,
            "held down"
        );
        let Answer::Confirmed(request) = press(&mut d, &["space"]) else {
            panic!("not confirmed: {:?}", d.complaint);
        };
        assert_eq!(request.basis, fixture::rollback_permit().basis);
        assert!(request.inputs.contains_key("reason"));
    }

    #[test]
    fn what_moved_is_not_confirmed() {
        let mut d = dialog("R");
        for f in &mut d.fields {
            f.edit = Edit::new(f.expects.clone().unwrap_or("why".into()));
        }
        d.moved = true;
        d.spot = Spot::Confirm;
        assert_eq!(press(&mut d, &["enter"]), Answer::Open);
        assert!(d.complaint.unwrap().contains("moved"));
    }
}
