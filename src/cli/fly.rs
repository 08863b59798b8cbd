//! The interface: `cockpit` alone.

use std::io::IsTerminal;
use std::sync::Arc;

use crate::app::options::{ColorMode, ThemeName};
use crate::domain::time::Clock;
use crate::runtime::clock::{LateClock, RealClock};
use crate::runtime::engine::Start;
use crate::runtime::load::{self, LoadError};
use crate::runtime::ui::{Ending, run_ui};
use crate::runtime::{spawn, terminal};

use super::args::{Args, Color, StatusArgs};
use super::demo::World;
use super::{exit, fail, out, status};

/// Opens the interface on the file that is found.
pub fn fly(args: &Args) -> u8 {
    if args.plain || args.json || !std::io::stdout().is_terminal() {
        let wanted = StatusArgs {
            json: args.json,
            plain: !args.json,
            wait: super::status::WAIT,
        };
        return status::status(args, &wanted);
    }
    // A file that is not there is said before the screen is taken.
    let cwd = std::env::current_dir().unwrap_or_default();
    if let Err(e) =
        crate::config::find_file(args.config.as_deref(), &cwd, load::config_dir().as_deref())
    {
        return fail(exit::CONFIG, e);
    }
    open(args, None, World::default())
}

/// Opens the interface.
pub fn open(args: &Args, text: Option<(std::path::PathBuf, String)>, world: World) -> u8 {
    let Some(theme) = ThemeName::parse(&args.theme) else {
        return fail(exit::USAGE, format!("no theme is called {}", args.theme));
    };
    let options = crate::app::Options {
        read_only: args.read_only,
        ascii: args.ascii,
        color: match args.color {
            Color::Auto => ColorMode::Auto,
            Color::Always => ColorMode::Always,
            Color::Never => ColorMode::Never,
        },
        theme,
        ..Default::default()
    };
    let late = Arc::new(LateClock::default());
    let start = Start {
        place: args.place(),
        text,
        world: Some(world.maker()),
        clock: Arc::new(RealClock),
        acts: true,
    };
    let mut thread = None;
    let clock: Arc<dyn Clock> = late.clone();
    let ending = run_ui(options, clock, || {
        let (handle, join) = spawn::engine(start, late);
        thread = Some(join);
        handle
    });
    terminal::restore();
    if let Some(join) = thread {
        let _ = join.join();
    }
    match ending {
        Ok(Ending::Quit) => 0,
        Ok(Ending::Signal(number)) => 128u8.saturating_add(u8::try_from(number).unwrap_or(0)),
        Ok(Ending::TerminalGone) => exit::UNREACHABLE,
        Err(e) => fail(exit::UNREACHABLE, e),
    }
}

/// The exit code and sentence of a file that cannot be used.
pub fn load_failed(error: &LoadError, colour: bool) -> u8 {
    match error {
        LoadError::Wrong { diags, text } => {
            out::complain(&crate::config::render(diags, text, colour));
            exit::CONFIG
        }
        other => fail(exit::CONFIG, other),
    }
}
