//! A real repository with tags, and with commit messages that nobody should trust.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::program;

/// A repository in a private folder.
pub struct RealClone {
    folder: tempfile::TempDir,
}

/// Title of each commit after v1.0.0, oldest first: what was written, and what may be shown.
pub const TITLES: [(&[u8], &str); 4] = [
    (b"Add coupons\n\nA body that is no title.", "Add coupons"),
    (b"\x1b]0;owned\x07Fix \x1b[31mtotals\x1b[0m", "Fix totals"),
    (
        "rename \u{202e}txt.exe\u{2066}".as_bytes(),
        "rename txt.exe",
    ),
    (b"--output=/tmp/x", "--output=/tmp/x"),
];

impl RealClone {
    /// v1.0.0, then the commits of [`TITLES`], then one of 10 MB, tagged v1.1.0; `None` (and said) without git.
    pub fn new(test: &str) -> Option<Self> {
        program(test, "git")?;
        let clone = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        clone.git(&["init", "-q", "-b", "main"], b"");
        clone.commit("README", b"Begin");
        clone.git(&["tag", "v1.0.0"], b"");
        for (at, (message, _)) in TITLES.iter().enumerate() {
            clone.commit(&format!("migrations/{at} step.sql"), message);
        }
        clone.commit("README", &vec![b'x'; 10 << 20]);
        clone.git(&["tag", "-a", "v1.1.0", "-m", "second"], b"");
        Some(clone)
    }

    /// Where it is.
    pub fn path(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    fn commit(&self, file: &str, message: &[u8]) {
        let path = self.folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, message.len().to_string()).unwrap();
        self.git(&["add", "-A"], b"");
        self.git(&["commit", "-q", "-F", "-"], message);
    }

    fn git(&self, args: &[&str], input: &[u8]) {
        let mut child = Command::new("git")
            .arg("-C")
            .arg(self.folder.path())
            .args([
                "-c",
                "user.name=Ann Field",
                "-c",
                "user.email=ann@example.org",
                "-c",
                "commit.gpgsign=false",
            ])
            .args(args)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        assert!(child.wait().unwrap().success(), "git {args:?}");
    }
}
