//! The interface's loop. It waits on input, facts, signals and the next visible change; takes in what is queued, then draws once.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;

use super::input::{Input, message};
use super::terminal::{Frames, Guard};
use crate::app::port::{Fact, Order};
use crate::app::{Effect, Model, Msg, Options, update};
use crate::domain::time::Clock;
use crate::tui;
use crate::tui::theme::Theme;

/// At most about 30 frames a second of what comes in by itself.
const FRAME: Duration = Duration::from_millis(33);
/// Events taken in before a frame is due all the same.
const BATCH: usize = 1000;

/// The two ends of the line to the engine.
#[derive(Debug)]
pub struct EngineHandle {
    /// What it says.
    pub facts: UnboundedReceiver<Fact>,
    /// What it is asked.
    pub orders: UnboundedSender<Order>,
}

/// How the interface ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The person left.
    Quit,
    /// A signal, by its number.
    Signal(i32),
    /// The terminal is gone.
    TerminalGone,
}

/// Why the interface did not start.
#[derive(Debug, thiserror::Error)]
pub enum UiError {
    /// The keymap has conflicts, a line each.
    #[error("the keymap cannot be used:\n{}", .0.join("\n"))]
    Keymap(Vec<String>),
    /// No terminal.
    #[error("the terminal cannot be used: {0}")]
    Terminal(#[from] io::Error),
}

/// Runs the interface until it ends. The first frame is on screen before `start` brings up the engine, and the terminal is restored
/// before this returns; the engine was then told [`Order::Shutdown`], and waiting for its end is the caller's.
///
/// # Errors
/// Where it cannot start: conflicting keys, no terminal.
pub fn run_ui(
    options: Options,
    clock: Arc<dyn Clock>,
    start: impl FnOnce() -> EngineHandle,
) -> Result<Ending, UiError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let no_color = std::env::var("NO_COLOR").ok();
        let color = options.color.resolve(no_color.as_deref());
        let theme = Theme::load(options.theme, color, options.ascii);
        let mut signals = Signals::new()?;
        let size = crossterm::terminal::size()?;
        let model = Model::new(options, size, clock.now()).map_err(UiError::Keymap)?;
        let guard = Guard::enter()?;
        let mut screen = Screen::new(guard, theme)?;
        let mut ui = Ui {
            model,
            clock,
            engine: None,
            resized: false,
            touched: false,
        };
        if screen.draw(&mut ui).is_err() {
            return Ok(Ending::TerminalGone);
        }
        ui.engine = Some(start());
        let ending = ui.run(&mut screen, &mut signals).await;
        drop(screen);
        if let Some(engine) = &ui.engine {
            let _ = engine.orders.send(Order::Shutdown);
        }
        Ok(ending)
    })
}

/// The signals that matter to a terminal program.
struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
    stop: Signal,
    cont: Signal,
    size: Signal,
}

/// What a signal asks for.
enum Asked {
    End(i32),
    Stop,
    Continue,
    Resized,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
            stop: signal(SignalKind::from_raw(libc::SIGTSTP))?,
            cont: signal(SignalKind::from_raw(libc::SIGCONT))?,
            // The input's thread sleeps on the terminal alone: it would tell a change of size with the next key.
            size: signal(SignalKind::window_change())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.hup.recv() => Asked::End(libc::SIGHUP),
            _ = self.term.recv() => Asked::End(libc::SIGTERM),
            _ = self.int.recv() => Asked::End(libc::SIGINT),
            _ = self.stop.recv() => Asked::Stop,
            _ = self.cont.recv() => Asked::Continue,
            _ = self.size.recv() => Asked::Resized,
        }
    }
}

/// The terminal with what is drawn on it.
struct Screen {
    // Dropped first to last: reading ends before the terminal is given back.
    input: Option<Input>,
    terminal: Terminal<CrosstermBackend<Frames>>,
    frames: Frames,
    guard: Guard,
    theme: Theme,
    drawn: Option<Instant>,
}

impl Screen {
    fn new(guard: Guard, theme: Theme) -> io::Result<Self> {
        let frames = Frames::default();
        Ok(Self {
            input: None,
            terminal: Terminal::new(CrosstermBackend::new(frames.clone()))?,
            frames,
            guard,
            theme,
            drawn: None,
        })
    }

    /// Draws one frame in one write.
    fn draw(&mut self, ui: &mut Ui) -> io::Result<()> {
        let size = self.terminal.size()?;
        if (size.width, size.height) != ui.model.size {
            ui.take(Msg::Resized(size.width, size.height));
        }
        self.frames.begin()?;
        if std::mem::take(&mut ui.resized) {
            // Also where the size is the same again: in between the terminal has cut or wrapped what was on it.
            self.forget()?;
        }
        let (model, theme) = (&ui.model, &self.theme);
        self.terminal
            .draw(|frame| tui::view(model, theme, frame.buffer_mut()))?;
        self.frames.end()?;
        self.drawn = Some(Instant::now());
        Ok(())
    }

    /// Forgets what was drawn, so that the next frame paints every cell.
    fn forget(&mut self) -> io::Result<()> {
        use crossterm::terminal::{Clear, ClearType};
        crossterm::queue!(self.frames, Clear(ClearType::All))?;
        self.terminal = Terminal::new(CrosstermBackend::new(self.frames.clone()))?;
        Ok(())
    }

    /// Gives the terminal to the shell and stops this process; comes back when it is continued.
    fn suspend(&mut self, model: &Model) -> io::Result<()> {
        self.input = None;
        self.guard.give_back();
        // Raised on this thread, so that nothing runs on before the process stands still.
        signal_hook::low_level::raise(libc::SIGSTOP)?;
        self.resume(model)
    }

    /// Takes the terminal again.
    fn resume(&mut self, model: &Model) -> io::Result<()> {
        self.input = None;
        self.guard.take()?;
        if model.mouse {
            self.frames.mouse(true)?;
        }
        if !model.title.is_empty() {
            self.frames.title(&model.title)?;
        }
        self.forget()
    }
}

struct Ui {
    model: Model,
    clock: Arc<dyn Clock>,
    engine: Option<EngineHandle>,
    /// The terminal said that its size changed since the last frame.
    resized: bool,
    /// A person did something since the last frame, or waited for what came: that is shown at once, however young the frame is.
    touched: bool,
}

/// What woke the loop.
enum Woke {
    Event(Option<io::Result<crossterm::event::Event>>),
    Fact(Option<Fact>),
    Signal(Asked),
    Time,
}

impl Ui {
    /// Takes in a message; what is to be done comes back.
    fn take(&mut self, msg: Msg) -> Vec<Effect> {
        let empty = self.model.situation.is_none();
        let effects = update(&mut self.model, self.clock.now(), msg);
        // The first judgement is what the person waits for.
        self.touched |= empty && self.model.situation.is_some();
        effects
    }

    async fn run(&mut self, screen: &mut Screen, signals: &mut Signals) -> Ending {
        let mut dirty = false;
        loop {
            let Ok(woke) = self.wait(screen, signals, dirty).await else {
                return Ending::TerminalGone;
            };
            let mut effects = match woke {
                Woke::Event(Some(Ok(event))) => self.event(event),
                Woke::Event(_) => return Ending::TerminalGone,
                Woke::Fact(Some(fact)) => self.take(Msg::Fact(fact)),
                Woke::Fact(None) => self.take(Msg::EngineGone),
                Woke::Signal(Asked::End(number)) => return Ending::Signal(number),
                Woke::Signal(Asked::Stop) => vec![Effect::Suspend],
                Woke::Signal(Asked::Continue) => {
                    if screen.resume(&self.model).is_err() {
                        return Ending::TerminalGone;
                    }
                    Vec::new()
                }
                Woke::Signal(Asked::Resized) => {
                    self.resized = true;
                    Vec::new()
                }
                Woke::Time => self.take(Msg::Ticked),
            };
            match self.drain(screen) {
                Ok(more) => effects.extend(more),
                Err(_) => return Ending::TerminalGone,
            }
            match self.perform(screen, effects) {
                Ok(None) => {}
                Ok(Some(ending)) => return ending,
                Err(_) => return Ending::TerminalGone,
            }
            dirty = true;
            let due = screen.drawn.is_none_or(|at| at.elapsed() >= FRAME);
            if due || std::mem::take(&mut self.touched) {
                if screen.draw(self).is_err() {
                    return Ending::TerminalGone;
                }
                dirty = false;
            }
        }
    }

    async fn wait(
        &mut self,
        screen: &mut Screen,
        signals: &mut Signals,
        dirty: bool,
    ) -> io::Result<Woke> {
        let input = match &mut screen.input {
            Some(input) => input,
            none => none.insert(Input::listen()?),
        };
        let sleep = match (dirty, screen.drawn) {
            (true, Some(at)) => at + FRAME,
            _ => {
                let left = self.model.next_change() - self.clock.now().real;
                Instant::now() + left.to_std().unwrap_or_default().max(FRAME)
            }
        };
        let gone = self.model.fatal.is_some();
        let facts = self.engine.as_mut().filter(|_| !gone).map(|e| &mut e.facts);
        Ok(tokio::select! {
            biased;
            asked = signals.next() => Woke::Signal(asked),
            event = input.next() => Woke::Event(event),
            fact = heard(facts) => Woke::Fact(fact),
            () = tokio::time::sleep_until(sleep) => Woke::Time,
        })
    }

    fn event(&mut self, event: crossterm::event::Event) -> Vec<Effect> {
        self.touched = true;
        self.resized |= matches!(event, crossterm::event::Event::Resize(..));
        message(event).map(|msg| self.take(msg)).unwrap_or_default()
    }

    /// Takes in what is queued, up to a bound.
    ///
    /// # Errors
    /// Where the terminal is gone.
    fn drain(&mut self, screen: &mut Screen) -> io::Result<Vec<Effect>> {
        let mut effects = Vec::new();
        for _ in 0..BATCH {
            let Some(event) = screen
                .input
                .as_mut()
                .map(Input::queued)
                .transpose()?
                .flatten()
            else {
                break;
            };
            effects.extend(self.event(event));
        }
        for _ in 0..BATCH {
            let Some(fact) = self.engine.as_mut().and_then(|e| e.facts.try_recv().ok()) else {
                break;
            };
            effects.extend(self.take(Msg::Fact(fact)));
        }
        Ok(effects)
    }

    fn perform(&mut self, screen: &mut Screen, effects: Vec<Effect>) -> io::Result<Option<Ending>> {
        for effect in effects {
            match effect {
                Effect::Order(order) => self.order(order),
                Effect::Copy(text) => screen.frames.copy(&text)?,
                Effect::Title(title) => screen.frames.title(&title)?,
                Effect::Notify { title, body } => screen.frames.notify(&title, &body)?,
                Effect::Mouse(on) => screen.frames.mouse(on)?,
                Effect::Suspend => screen.suspend(&self.model)?,
                Effect::Redraw => screen.forget()?,
                Effect::Quit => return Ok(Some(Ending::Quit)),
            }
        }
        Ok(None)
    }

    fn order(&mut self, order: Order) {
        let sent = self.engine.as_ref().map(|e| e.orders.send(order).is_ok());
        if sent == Some(false) {
            self.take(Msg::EngineGone);
        }
    }
}

/// The next fact; waits for ever where there is no engine.
async fn heard(facts: Option<&mut UnboundedReceiver<Fact>>) -> Option<Fact> {
    match facts {
        Some(facts) => facts.recv().await,
        None => futures::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
