//! `cockpit status`: one look, then the situation.

use std::time::Duration;

use crate::report;

use super::args::{Args, StatusArgs};
use super::demo::World;
use super::out;
use super::session::{self, Text};

/// Columns of the plain text.
const WIDTH: usize = 120;

/// How long the faces wait for the first answers.
pub const WAIT: Duration = Duration::from_secs(10);

/// Prints the situation.
pub fn status(args: &Args, wanted: &StatusArgs) -> u8 {
    look(args, wanted, None, World::default())
}

/// Prints the situation of a given text.
pub fn look(args: &Args, wanted: &StatusArgs, text: Text, world: World) -> u8 {
    session::run(args, text, world, false, |mut session| async move {
        let s = session
            .engine
            .look_for(&mut session.inbox, wanted.wait, |_| true)
            .await;
        if wanted.json {
            out::put(&report::json(&s));
        } else {
            out::put(&report::plain(&s, options(args, s.now)));
        }
        session.engine.close().await;
        report::exit_code(&s)
    })
}

/// How plain text is written.
pub fn options(args: &Args, now: crate::domain::time::Now) -> report::Options {
    report::Options {
        width: WIDTH,
        ascii: args.ascii,
        now,
    }
}
