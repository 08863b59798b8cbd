//! The engine: runs needs, orders and duties for the TUI and for headless commands alike.
//!
//! One task owns everything (policy, journal, observations) and waits for messages; reads and acts run beside it and come
//! back as messages. After every fact the situation is judged anew and handed out.

mod doer;
mod headless;
mod ingest;
mod keeper;
mod past;
mod reader;
mod reload;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant as Tick;

use crate::app::port::{DocumentKind, Fact, Order};
use crate::config::trust::Trust;
use crate::connect::{ConnectOptions, Connections};
use crate::documents;
use crate::domain::act::{Act, Outcome, Receipt};
use crate::domain::assess::{assess, calendar_span};
use crate::domain::calendar::Look;
use crate::domain::event::Body;
use crate::domain::journal::Journal;
use crate::domain::observe::{Answer, Fault, Observed};
use crate::domain::policy::Policy;
use crate::domain::situation::{Refusal, Situation};
use crate::domain::time::{Clock, Held, Instant};
use crate::store::{OpenOptions, Store, Watcher};

use super::journal::Author;
use super::load::{self, LoadError, Loaded, Place};

/// Facts that come close together are judged together.
const SETTLE: Duration = Duration::from_millis(120);
/// Without any fact the situation is judged anew this often: ages, countdowns, windows.
const PULSE: Duration = Duration::from_secs(5);
/// How often the store is asked whether another process wrote, and the file whether it changed.
const LOOK: Duration = Duration::from_secs(1);
/// Answers are kept this often for the first frame after a start.
const KEEP: Duration = Duration::from_secs(10);
/// Buckets of services without an open release are kept this often: after a start their last hours are read again anyway.
const KEEP_OTHERS: Duration = Duration::from_secs(600);
/// What is needed is looked up this often when no event changes it.
const PLAN: Duration = Duration::from_secs(1);
/// Wall clock and monotonic clock may disagree by this much.
const JUMP: i64 = 5;
/// A read lets a clock that can be held stand for no longer than this: a vendor that hangs takes its time in the world, too.
const STAND: Duration = Duration::from_secs(50);
/// As the process ends, the outcomes of what was sent are waited for so long.
const OUTCOMES: Duration = Duration::from_secs(3);

/// What an embedded world gives the engine.
pub struct World {
    /// Vendor name → its port on this machine. Nothing else is reached.
    pub endpoints: BTreeMap<String, SocketAddr>,
    /// The world's clock.
    pub clock: Arc<dyn Clock>,
    /// What the journal of a new world begins with: world time, actor, how known, release, event.
    pub seeds: Vec<Seed>,
    /// Kept alive as long as the engine runs.
    pub keep: Box<dyn std::any::Any + Send>,
}

/// One event that a new world's journal begins with.
pub struct Seed {
    /// World time.
    pub at: Instant,
    /// Who.
    pub actor: String,
    /// How known.
    pub known_by: String,
    /// Release.
    pub release: Option<String>,
    /// What happened.
    pub body: Body,
}

/// Starts the embedded world that a policy's `[demo]` table names. Given by the command line: the engine knows no demo.
pub type WorldMaker =
    Box<dyn FnOnce(Policy, PathBuf) -> BoxFuture<'static, Result<World, String>> + Send>;

/// How an engine is started.
pub struct Start {
    /// Where things are.
    pub place: Place,
    /// The file's text when it does not lie on disk (`cockpit demo` without a file).
    pub text: Option<(PathBuf, String)>,
    /// Makes the embedded world where the policy wants one.
    pub world: Option<WorldMaker>,
    /// Tells the time where no world does.
    pub clock: Arc<dyn Clock>,
    /// Take the driver's lease and do what is owed. False: look only (`status`, `check`).
    pub acts: bool,
}

/// What comes back from reads and acts.
enum Msg {
    Read {
        need: String,
        seq: u64,
        read_at: Instant,
        result: Result<Answer, Fault>,
    },
    Changed {
        need: String,
    },
    Acted {
        act: Act,
        step: Option<(String, String)>,
        outcome: Outcome,
        order: Option<u64>,
    },
    Found {
        act: Act,
        step: Option<(String, String)>,
        found: Result<Option<Receipt>, Fault>,
        key: String,
    },
}

/// The engine's state.
pub struct Engine {
    place: Place,
    loaded: Loaded,
    policy: Arc<Policy>,
    journal: Journal,
    observed: Observed,
    store: Store,
    watcher: Option<Watcher>,
    connections: Arc<Connections>,
    clock: Arc<dyn Clock>,
    author: Author,
    holder: String,
    acts: bool,
    /// Journals what is seen although it does not act.
    records: bool,
    /// Its connections were opened.
    running: bool,
    situation: Arc<Situation>,
    /// The one before, which the interface has let go of by the next: thousands of rows are not freed between two keys.
    retired: Option<Arc<Situation>>,
    facts: UnboundedSender<Fact>,
    tx: UnboundedSender<Msg>,
    slots: HashMap<String, reader::Slot>,
    limits: HashMap<String, Arc<tokio::sync::Semaphore>>,
    done: HashSet<String>,
    looked: HashMap<String, Tick>,
    anchor: (Tick, Instant),
    /// Where the clock can be held: since when ticks follow the world's time, and what holds it.
    follows: Option<(Tick, Instant, Held)>,
    /// World time at which what is kept was last cut.
    pruned: Instant,
    leased: Option<Tick>,
    /// Needs that were answered since the cache was kept, and whether that brought new buckets.
    changed_needs: BTreeMap<String, bool>,
    /// Locks on services that this process holds.
    locks: BTreeSet<String>,
    cached: Option<Tick>,
    /// When the buckets of services that are not followed were kept last.
    others_kept: Option<Tick>,
    /// When this engine began.
    origin: Tick,
    /// Services whose history is kept.
    followed: BTreeSet<String>,
    /// (metric, part, step) → from where on the store has it for all of them.
    covered: HashMap<(String, crate::domain::record::Part, u64), i64>,
    /// When the slots were last brought in line, and at which event of the journal.
    planned: Option<(Tick, u64)>,
    /// (metric, part, step) → newest bucket that the store has.
    kept: HashMap<(String, crate::domain::record::Part, u64), i64>,
    file_seen: Option<std::time::SystemTime>,
    endpoints: Option<BTreeMap<String, SocketAddr>>,
    _world: Option<Box<dyn std::any::Any + Send>>,
}

/// Why an engine cannot start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The file.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The store.
    #[error("{0}")]
    Store(String),
    /// The embedded world.
    #[error("the embedded world cannot start: {0}")]
    World(String),
}

impl Engine {
    /// Opens everything and shows what is known without a request: journal, cached answers with their ages.
    ///
    /// # Errors
    /// See [`EngineError`].
    pub async fn open(
        start: Start,
        facts: UnboundedSender<Fact>,
    ) -> Result<(Self, Inbox), EngineError> {
        let loaded = match start.text {
            Some((path, text)) => load::load_text(&start.place, &path, text)?,
            None => load::load(&start.place)?,
        };
        let dir = load::journal_dir(&start.place, &loaded.policy);
        let mut clock = start.clock;
        let (mut endpoints, mut seeds, mut keep) = (None, Vec::new(), None);
        if loaded.policy.demo.is_some() {
            let make = start.world.ok_or_else(|| {
                EngineError::World("this command flies no [demo] file".to_owned())
            })?;
            let world = make(loaded.policy.clone(), dir.clone())
                .await
                .map_err(EngineError::World)?;
            clock = world.clock;
            endpoints = Some(world.endpoints);
            seeds = world.seeds;
            keep = Some(world.keep);
        }
        let store = Store::open(
            &dir,
            OpenOptions {
                read_only: start.place.read_only,
            },
        )
        .await
        .map_err(|e| EngineError::Store(e.to_string()))?;
        let author = author(&loaded.policy);
        let holder = format!("{}@{} {}", author.actor, author.host, std::process::id());
        let now = clock.now();
        let (tx, rx) = unbounded_channel();
        let policy = Arc::new(loaded.policy.clone());
        let mut engine = Self {
            place: start.place,
            observed: Observed::default(),
            situation: Arc::new(assess(
                &policy,
                &Journal::default(),
                &Observed::default(),
                now,
            )),
            retired: None,
            connections: Arc::new(Connections::none()),
            policy,
            journal: Journal::default(),
            watcher: None,
            store,
            clock,
            author,
            holder,
            acts: start.acts,
            records: false,
            running: false,
            facts,
            tx,
            slots: HashMap::new(),
            limits: HashMap::new(),
            done: HashSet::new(),
            looked: HashMap::new(),
            anchor: (Tick::now(), now.world),
            follows: None,
            pruned: now.world - keeper::PRUNE + keeper::FIRST_PRUNE,
            leased: None,
            changed_needs: BTreeMap::new(),
            locks: BTreeSet::new(),
            cached: None,
            others_kept: None,
            origin: Tick::now(),
            followed: BTreeSet::new(),
            covered: HashMap::new(),
            planned: None,
            kept: HashMap::new(),
            file_seen: reload::modified(&loaded.path),
            endpoints,
            loaded,
            _world: keep,
        };
        engine.follows = engine
            .clock
            .hold()
            .map(|held| (Tick::now(), engine.clock.now().world, held));
        engine.introduce();
        engine.say(Fact::Keys(engine.policy.keys.clone()));
        engine.load_journal(seeds).await?;
        engine.stand();
        engine.load_cache().await;
        // What is known already is shown before the history of the metrics is there. Nothing is owed on that ground.
        engine.show();
        engine.load_samples().await;
        engine.leases().await;
        engine.judge().await;
        Ok((engine, Inbox { rx }))
    }

    /// Who looks, and what is wrong with the set-up.
    fn introduce(&mut self) {
        let session = &mut self.observed.session;
        session.actor.clone_from(&self.author.actor);
        session.known_by.clone_from(&self.author.known_by);
        session.host.clone_from(&self.author.host);
        session.pid = std::process::id();
        session.read_only = self.place.read_only;
        session.solo = true;
        session.demo = self.policy.demo.as_ref().map(|d| d.scenario.clone());
        session.untrusted = match &self.loaded.trust {
            Trust::Granted => None,
            Trust::Never(_) => Some("cockpit.toml is not trusted yet: nothing is run and no request leaves this machine".to_owned()),
            Trust::Changed(lines) => Some(format!(
                "cockpit.toml reaches something else than what was trusted: {}",
                lines.join("; ")
            )),
        };
    }

    /// Opens the connections. Done after the first situation is out: it compiles every connector's filters.
    fn connect(&mut self) {
        let (connections, diags) = Connections::open(
            &self.policy,
            ConnectOptions {
                endpoints: self.endpoints.clone(),
                connector_dir: self.loaded.connector_dir.clone(),
                clock: Arc::clone(&self.clock),
                trusted: self.loaded.trust == Trust::Granted,
            },
        );
        for diag in diags {
            tracing::warn!(%diag, "a connection or connector is not as it should be");
            self.say(Fact::Trouble(diag.to_string()));
        }
        self.connections = Arc::new(connections);
        super::log::redact_by(Arc::clone(&self.connections));
    }

    fn say(&self, fact: Fact) {
        // The interface may have ended first: there is nobody to tell then.
        let _ = self.facts.send(fact);
    }

    /// The situation last judged.
    #[must_use]
    pub fn situation(&self) -> Arc<Situation> {
        Arc::clone(&self.situation)
    }

    /// Its clock.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy)
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> Store {
        self.store.clone()
    }

    /// Judges anew and hands the situation out; nothing that is owed is done.
    fn show(&mut self) {
        let now = self.clock.now();
        let next = assess(&self.policy, &self.journal, &self.observed, now);
        self.retired = Some(std::mem::replace(&mut self.situation, Arc::new(next)));
        self.say(Fact::Assessed(Arc::clone(&self.situation)));
    }

    /// Judges anew, hands the situation out and does what is owed until nothing new is owed.
    async fn judge(&mut self) {
        // Before anything is done: a machine that slept must not act on what it knew when it fell asleep.
        self.clock_jumped();
        self.retired = Some(Arc::clone(&self.situation));
        for _ in 0..8 {
            let now = self.clock.now();
            let s = assess(&self.policy, &self.journal, &self.observed, now);
            let begun = self.count_down(&s, now.real);
            self.situation = Arc::new(s);
            let done = (self.acts || self.records) && self.duties().await;
            if !(begun || done) {
                break;
            }
        }
        self.say(Fact::Assessed(Arc::clone(&self.situation)));
    }

    /// Runs until the orders end.
    pub async fn run(mut self, mut inbox: Inbox, mut orders: UnboundedReceiver<Order>) {
        self.connect();
        self.journal_start().await;
        self.watcher = self.store.watcher().await.ok();
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut pulse = self.tick() + self.pulse();
        let mut dirty: Option<Tick> = None;
        loop {
            self.schedule();
            let wake = dirty.map_or(pulse, |d| (d + SETTLE).min(pulse));
            let next = self.next_due().min(wake);
            let stands = dirty.is_some() || self.reading();
            let began = Tick::now();
            let due = if dirty.is_some() && self.calm() {
                began
            } else {
                self.real(next)
            };
            tokio::select! {
                order = orders.recv() => match order {
                    None | Some(Order::Shutdown) => break,
                    // A question changes nothing: there is nothing to judge anew.
                    Some(Order::Look(look)) => self.look_at(&look),
                    // Who walks down a list passes many services: the chart of the one where they stay is enough.
                    Some(Order::Focus { release, service })
                        if self.observed.session.focus.0 == release =>
                    {
                        self.observed.session.focus.1 = service;
                        dirty.get_or_insert_with(Tick::now);
                    }
                    Some(order) => {
                        self.order(order).await;
                        dirty = Some(self.tick() - SETTLE);
                    }
                },
                msg = inbox.rx.recv() => {
                    if let Some(msg) = msg
                        && self.take(msg).await
                    {
                        dirty.get_or_insert(self.tick());
                    }
                }
                _ = look.tick() => {
                    if self.look().await {
                        dirty.get_or_insert(self.tick());
                    }
                }
                () = tokio::time::sleep_until(due) => {}
            }
            if !stands {
                self.step(began, next);
            }
            let now = self.tick();
            let settled = dirty.is_some_and(|d| d + SETTLE <= now || self.calm());
            if settled || pulse <= now {
                dirty = None;
                pulse = now + self.pulse();
                self.judge().await;
            }
        }
        self.drain(&mut inbox).await;
        self.leave().await;
    }

    /// What was sent just before the end gets its outcome into the journal, if that takes no longer than a moment.
    async fn drain(&mut self, inbox: &mut Inbox) {
        let end = Tick::now() + OUTCOMES;
        while !self.observed.session.in_flight.is_empty() {
            match tokio::time::timeout_at(end, inbox.rx.recv()).await {
                Ok(Some(msg)) => {
                    self.take(msg).await;
                }
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// By what everything here is due: real time; with a clock that can be held, the world's at its speed, so that what takes
    /// no time in the world takes none here.
    fn tick(&self) -> Tick {
        match &self.follows {
            None => Tick::now(),
            Some((tick, world, _)) => {
                let passed = (self.clock.now().world - *world)
                    .to_std()
                    .unwrap_or_default();
                *tick + passed.div_f64(self.clock.speed())
            }
        }
    }

    /// When a tick comes, in real time; again and again while the clock stands.
    fn real(&self, due: Tick) -> Tick {
        if self.follows.is_none() {
            return due;
        }
        let wait = due.saturating_duration_since(self.tick());
        // Shorter sleeps than the timer knows would only spin.
        let least = Duration::from_millis(u64::from(!wait.is_zero()));
        Tick::now() + wait.max(least)
    }

    /// A clock that can be held goes on only while nothing is read and nothing waits to be judged: by the time that passed since
    /// `began`, at most up to `next`. So a machine that is busy makes the flight slower, and what was read no older.
    fn step(&self, began: Tick, next: Tick) {
        if self.follows.is_none() {
            return;
        }
        let wait = next.saturating_duration_since(self.tick());
        let passed = began.elapsed().min(wait).mul_f64(self.clock.speed());
        if let Ok(passed) = chrono::Duration::from_std(passed) {
            self.clock.step(passed);
        }
    }

    /// The clock stands and everything asked for is there: what came is judged at once.
    fn calm(&self) -> bool {
        self.follows.is_some() && !self.reading()
    }

    fn reading(&self) -> bool {
        self.slots.values().any(|s| s.on_its_way(STAND))
    }

    /// Reads every feed once (or until `patience` is over) and returns the situation; for the commands that only look.
    pub async fn once(mut self, mut inbox: Inbox, patience: Duration) -> (Arc<Situation>, Self) {
        let situation = self.look_for(&mut inbox, patience, |_| true).await;
        (situation, self)
    }

    /// A countdown on screen wants every second; else the slow pulse.
    fn pulse(&self) -> Duration {
        let fast = self.situation.band.countdown.is_some()
            || self
                .situation
                .plan
                .as_ref()
                .is_some_and(|p| p.ended.is_none());
        let span = if fast { Duration::from_secs(1) } else { PULSE };
        span.div_f64(self.clock.speed().clamp(1.0, 20.0))
    }

    /// Takes a message in. False: nothing but an age changed, which the pulse shows soon enough.
    async fn take(&mut self, msg: Msg) -> bool {
        match msg {
            Msg::Read {
                need,
                seq,
                read_at,
                result,
            } => return self.took(&need, seq, read_at, result),
            Msg::Changed { need } => {
                if let Some(slot) = self.slots.get_mut(&need) {
                    slot.soon();
                }
                return false;
            }
            Msg::Acted {
                act,
                step,
                outcome,
                order,
            } => self.acted(act, step, outcome, order).await,
            Msg::Found {
                act,
                step,
                found,
                key,
            } => self.found(act, step, found, &key).await,
        }
        true
    }

    async fn order(&mut self, order: Order) {
        match order {
            Order::Act { seq, request } => self.act_on(seq, request).await,
            Order::ReadNow => {
                for slot in self.slots.values_mut() {
                    slot.soon();
                }
            }
            Order::Document(kind) => self.document(kind),
            Order::Focus { release, service } => self.observed.session.focus = (release, service),
            Order::Look(look) => self.look_at(&look),
            Order::Shutdown => {}
        }
    }

    /// Answers a question to the calendar; nothing is kept of it.
    fn look_at(&self, look: &Look) {
        let span = calendar_span(
            &self.policy,
            &self.journal,
            &self.observed,
            self.clock.now(),
            look,
        );
        self.say(Fact::Looked(Arc::new(span)));
    }

    fn document(&self, kind: DocumentKind) {
        let (title, kind) = match kind {
            DocumentKind::Brief => ("Brief", documents::Kind::Brief),
            DocumentKind::Handoff => ("Handoff", documents::Kind::Handoff),
            DocumentKind::Review => ("Review", documents::Kind::Review),
        };
        let written = load::template(kind.name())
            .and_then(|own| documents::render(kind, &self.situation, &self.policy, own.as_deref()));
        match written {
            Ok(markdown) => self.say(Fact::Document {
                title: title.to_owned(),
                markdown,
            }),
            Err(why) => self.say(Fact::Trouble(why)),
        }
    }

    /// Looks at what others may have changed: the store, the file, the clocks. True when something did.
    async fn look(&mut self) -> bool {
        let mut changed = self.clock_jumped();
        if let Some(watcher) = &mut self.watcher
            && let Ok(Some(seen)) = watcher.poll().await
            && seen.journal
        {
            self.catch_up().await;
            changed = true;
        }
        changed |= self.reload().await;
        let due = self
            .leased
            .is_none_or(|t| t.elapsed() >= crate::store::RENEW_EVERY);
        if due {
            changed |= self.leases().await;
        }
        if self.cached.is_none_or(|t| t.elapsed() >= KEEP) {
            self.keep_cache();
        }
        self.prune();
        changed
    }

    /// Law 2: after a sleep or a clock step nothing read earlier counts, and countdowns start over.
    fn clock_jumped(&mut self) -> bool {
        let now = self.clock.now();
        let expected = self.anchor.0.elapsed().as_secs_f64() * self.clock.speed();
        let seen = (now.world - self.anchor.1).num_milliseconds() as f64 / 1000.0;
        self.anchor = (Tick::now(), now.world);
        if (seen - expected).abs() <= JUMP as f64 * self.clock.speed() {
            return false;
        }
        self.observed.not_before = Some(now.world);
        self.observed.session.countdowns.clear();
        for slot in self.slots.values_mut() {
            slot.soon();
        }
        self.say(Fact::Trouble(
            "the clock jumped: everything is stale until it is read again".to_owned(),
        ));
        true
    }

    /// Remembers in real time when an automatic trigger's countdown began. One that does not stand any more (a gap, a stale
    /// feed, another driver) is forgotten: it starts over. True where one began, which this situation does not show yet: nobody
    /// can stop what is not in sight.
    fn count_down(&mut self, s: &Situation, real: Instant) -> bool {
        let countdowns = &mut self.observed.session.countdowns;
        countdowns.retain(|id, _| s.counting.contains(id));
        let ran = countdowns.len();
        for id in &s.counting {
            countdowns.entry(id.clone()).or_insert(real);
        }
        countdowns.len() > ran
    }

    /// Refusals as the interface gets them.
    fn refuse(&self, seq: u64, refusals: Vec<Refusal>) {
        self.say(Fact::Done {
            seq,
            result: Err(refusals),
        });
    }
}

/// Where reads and acts report to.
pub struct Inbox {
    rx: UnboundedReceiver<Msg>,
}

/// The person at the keys: the OS user, by the name that `[people]` gives them.
fn author(policy: &Policy) -> Author {
    let user = std::env::var("USER")
        .or_else(|_| std::env::var("LOGNAME"))
        .unwrap_or_else(|_| "unknown".to_owned());
    let named = policy
        .people
        .iter()
        .find(|(_, p)| p.os.contains(&user))
        .map(|(name, _)| name.clone());
    // In the embedded world you fly as its driver: it has no users of its own.
    let demo = policy
        .demo
        .is_some()
        .then(|| policy.releases.iter().find_map(|r| r.driver.clone()))
        .flatten();
    let known_by = if named.is_none() && demo.is_some() {
        "demo"
    } else {
        "os user"
    };
    Author {
        actor: named.or(demo).unwrap_or(user),
        known_by: known_by.to_owned(),
        host: host(),
    }
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .map(|h| h.trim().to_owned())
        .or_else(|| std::env::var("HOSTNAME").ok())
        .filter(|h| !h.is_empty())
        .unwrap_or_else(|| "this machine".to_owned())
}
