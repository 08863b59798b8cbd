//! Reads `git log -z` as it comes, keeping the head of each field: a message of any size costs the same memory.

use chrono::DateTime;

use crate::domain::record::Commit;
use crate::domain::text::clean;

/// Each commit: nothing, hash, author, seconds, subject, nothing; all ended by NUL. Paths follow, the first one after a
/// line feed, each ended by NUL; a commit without paths has none of it.
pub(super) const FORMAT: &str = "--format=tformat:%x00%H%x00%an%x00%ct%x00%s%x00";

/// Bytes of a field that are kept.
const FIELD: usize = 4 * 1024;
/// Columns of a title, an author, a path.
const TITLE: usize = 200;
const AUTHOR: usize = 80;
const PATH: usize = 400;
/// Paths kept of one commit.
const MAX_PATHS: usize = 500;

/// What the next field is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Next {
    /// The empty field that begins a commit.
    #[default]
    Begin,
    Hash,
    Author,
    Seconds,
    Subject,
    /// The empty field that ends the format.
    End,
    /// The first path (begins with a line feed), or the empty field that begins the next commit.
    PathOrBegin,
    /// A further path, or the empty field that separates commits.
    PathOrGap,
}

/// Takes the output in pieces of any length.
#[derive(Debug, Default)]
pub(super) struct LogReader {
    next: Next,
    field: Vec<u8>,
    commits: Vec<Commit>,
    cut: bool,
    wrong: Option<&'static str>,
}

impl LogReader {
    /// The next piece.
    pub(super) fn take(&mut self, mut piece: &[u8]) {
        while let Some(at) = piece.iter().position(|b| *b == 0) {
            let (head, tail) = piece.split_at(at);
            self.keep(head);
            self.end_field();
            piece = tail.get(1..).unwrap_or_default();
        }
        self.keep(piece);
    }

    /// The commits, newest first, and whether paths were left out.
    ///
    /// # Errors
    /// What was not as expected.
    pub(super) fn finish(self) -> Result<(Vec<Commit>, bool), &'static str> {
        match self.wrong {
            Some(what) => Err(what),
            None if matches!(self.next, Next::Begin | Next::PathOrBegin | Next::PathOrGap) => {
                Ok((self.commits, self.cut))
            }
            None => Err("it ended in the middle of a commit"),
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = FIELD.saturating_sub(self.field.len());
        self.field
            .extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    fn end_field(&mut self) {
        let field = std::mem::take(&mut self.field);
        let text = || String::from_utf8_lossy(&field);
        self.next = match self.next {
            Next::Begin if field.is_empty() => Next::Hash,
            Next::Hash if super::is_hash(&text()) => {
                self.commits.push(Commit {
                    id: text().into_owned(),
                    ..Commit::default()
                });
                Next::Author
            }
            Next::Author => {
                let author = clean(&text(), AUTHOR);
                self.last(|c| c.author = Some(author).filter(|a| !a.is_empty()));
                Next::Seconds
            }
            Next::Seconds => {
                let at = text()
                    .parse()
                    .ok()
                    .and_then(|s| DateTime::from_timestamp(s, 0));
                self.last(|c| c.at = at);
                Next::Subject
            }
            Next::Subject => {
                let title = clean(&text(), TITLE);
                self.last(|c| c.title = title);
                Next::End
            }
            Next::End if field.is_empty() => Next::PathOrBegin,
            Next::PathOrBegin if field.is_empty() => Next::Hash,
            Next::PathOrBegin => {
                self.path(field.strip_prefix(b"\n").unwrap_or(&field));
                Next::PathOrGap
            }
            Next::PathOrGap if field.is_empty() => Next::Hash,
            Next::PathOrGap => {
                self.path(&field);
                Next::PathOrGap
            }
            unexpected => {
                self.wrong = Some("its fields are not in the expected order");
                unexpected
            }
        };
    }

    fn path(&mut self, bytes: &[u8]) {
        let path = clean(&String::from_utf8_lossy(bytes), PATH);
        let full = self
            .commits
            .last()
            .is_some_and(|c| c.paths.len() >= MAX_PATHS);
        if full {
            self.cut = true;
        } else {
            self.last(|c| c.paths.push(path));
        }
    }

    fn last(&mut self, change: impl FnOnce(&mut Commit)) {
        if let Some(commit) = self.commits.last_mut() {
            change(commit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn read(bytes: &[u8], step: usize) -> Result<(Vec<Commit>, bool), &'static str> {
        let mut reader = LogReader::default();
        bytes
            .chunks(step.max(1))
            .for_each(|piece| reader.take(piece));
        reader.finish()
    }

    #[test]
    fn commits_with_and_without_paths_are_told_apart() {
        let text = format!(
            "\0{A}\0Ann\x0060\0one\0\0\n{B}\0b c\0\0{B}\0\0x\0two\0\0\0{A}\0C\x0061\0three\0\0"
        );
        for step in [1, 3, 1000] {
            let (commits, cut) = read(text.as_bytes(), step).unwrap();
            assert!(!cut);
            assert_eq!(commits.len(), 3);
            assert_eq!(commits[0].paths, [B, "b c"]);
            assert_eq!(commits[0].at.unwrap().timestamp(), 60);
            assert_eq!(
                (commits[1].title.as_str(), &commits[1].author, commits[1].at),
                ("two", &None, None)
            );
            assert_eq!(commits[2].title, "three");
        }
    }

    #[test]
    fn nothing_is_no_commit_and_half_a_commit_is_an_error() {
        assert_eq!(read(b"", 1), Ok((vec![], false)));
        assert!(read(format!("\0{A}\0Ann").as_bytes(), 9).is_err());
        assert!(read(b"\0not a hash\0", 9).is_err());
    }

    #[test]
    fn too_many_paths_are_cut_and_said() {
        let paths: String = (0..=MAX_PATHS).map(|i| format!("{i}\0")).collect();
        let (commits, cut) = read(format!("\0{A}\0a\x001\0t\0\0\n{paths}").as_bytes(), 77).unwrap();
        assert!(cut);
        assert_eq!(commits[0].paths.len(), MAX_PATHS);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), step in 1_usize..50) {
            let _ = read(&bytes, step);
        }
    }
}
