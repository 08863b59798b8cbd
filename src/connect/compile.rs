//! Turns a connector file into something that runs, checking every template and filter on the way: mistakes are found before any
//! request, with file, line and key.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;

use super::auth::Scheme;
use super::context::{bytes, names_of, schemes, seconds};
use super::jq::Filter;
use super::place::Source;
use super::records;
use super::template::{JsonTemplate, Names, Place, Template, did_you_mean};
use crate::domain::act::Verb;
use crate::domain::connector::{
    ActionSpec, ArgSpec, ConnectorSpec, FindSpec, Paginate, ReadSpec, RequestSpec, StepSpec,
};
use crate::domain::diag::Diag;
use crate::domain::record::RecordKind;

/// A filter that can be handed to the blocking pool.
pub type Jq = Arc<Filter>;

/// A whole connector.
pub struct Program {
    /// `[http] fail`.
    pub fail: Option<Jq>,
    /// `[auth]`.
    pub schemes: Vec<Scheme>,
    /// `[health]`.
    pub health: Option<(Call, Option<Jq>)>,
    /// `[read.*]`.
    pub reads: BTreeMap<String, Read>,
    /// `[action.*]`.
    pub actions: BTreeMap<String, Action>,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Call {
    /// Method.
    pub method: Method,
    /// Path.
    pub path: Template,
    /// Query.
    pub query: Vec<(String, Template)>,
    /// Headers.
    pub headers: Vec<(String, Template)>,
    /// JSON body.
    pub json: Option<JsonTemplate>,
    /// Form body.
    pub form: Option<Vec<(Template, Template)>>,
    /// Further statuses that are answers.
    pub statuses: Vec<u16>,
}

/// One read.
pub struct Read {
    /// What it yields.
    pub record: RecordKind,
    /// Arguments.
    pub args: BTreeMap<String, ArgSpec>,
    /// The request.
    pub call: Call,
    /// Answer → items.
    pub items: Jq,
    /// Further pages.
    pub pages: Option<Pages>,
    /// Second calls.
    pub each: Option<Each>,
    /// Field → filter; empty: the items are the records.
    pub map: Vec<(String, Jq)>,
    /// All items → what the records are made of.
    pub join: Option<Jq>,
    /// Why a page is not all of it.
    pub partial: Option<Jq>,
    /// The stream of changes.
    pub stream: Option<Call>,
}

/// How further pages are asked for.
pub enum Pages {
    /// By the `Link` header.
    Link(u32),
    /// By a cursor: filter, parameter, most pages.
    Cursor(Jq, String, u32),
    /// By number: parameter, first, step, size, most pages.
    Number(String, u32, u32, u32, u32),
    /// By an address in the answer.
    Url(Jq, u32),
}

/// A second call per item.
pub struct Each {
    /// Key under which the answer joins the item.
    pub name: String,
    /// Only for these.
    pub when: Option<Jq>,
    /// At most so many.
    pub limit: usize,
    /// So many at a time.
    pub concurrency: usize,
    /// The request.
    pub call: Call,
    /// Answer → value.
    pub take: Jq,
}

/// One action.
pub struct Action {
    /// What it does.
    pub verb: Verb,
    /// Arguments.
    pub args: BTreeMap<String, ArgSpec>,
    /// May be sent twice.
    pub idempotent: bool,
    /// A failure in spite of 2xx.
    pub fail: Option<Jq>,
    /// Earlier calls.
    pub steps: Vec<Step>,
    /// The call that acts.
    pub call: Call,
    /// The look-up of the mark.
    pub find: Option<Find>,
    /// Receipt's fields.
    pub receipt: Vec<(String, Jq)>,
}

/// An earlier call.
pub struct Step {
    /// Name under `steps`.
    pub name: String,
    /// The request.
    pub call: Call,
    /// Answer → value.
    pub take: Jq,
    /// Repeated until true.
    pub until: Option<Jq>,
    /// Pause between.
    pub every: Duration,
    /// Most repetitions.
    pub max: u32,
}

/// The look-up of a mark.
pub struct Find {
    /// The request.
    pub call: Call,
    /// Answer → what carries the mark.
    pub take: Jq,
    /// Receipt's fields over that.
    pub receipt: Vec<(String, Jq)>,
    /// After that an absent mark means that the act did not happen; `None`: never.
    pub settles: Option<Duration>,
    /// Looked at first.
    pub before: Option<Box<Find>>,
}

/// What an act is to templates (`intent.*`) and filters (`$intent`).
pub const INTENT: [&str; 7] = [
    "id",
    "reason",
    "summary",
    "release",
    "service",
    "environment",
    "verb",
];

/// Compiles and checks a whole connector.
///
/// # Errors
/// Every mistake found.
pub fn compile(spec: &ConnectorSpec, source: &Source) -> Result<Program, Vec<Diag>> {
    let mut c = Compiler {
        source,
        base: names_of(spec),
        diags: Vec::new(),
    };
    c.http(spec);
    let schemes = match schemes(&spec.auth, &c.base) {
        Ok(schemes) => schemes,
        Err((key, e)) => {
            let keys: Vec<&str> = key.split('.').collect();
            c.diags.push(source.at(&keys, Some(e.at), e.message));
            Vec::new()
        }
    };
    let names = c.base.clone();
    let program = Program {
        fail: spec
            .http
            .fail
            .as_ref()
            .and_then(|code| c.jq(&["http", "fail"], code)),
        schemes,
        health: spec.health.as_ref().and_then(|h| {
            let says = h
                .says
                .as_ref()
                .and_then(|code| c.jq(&["health", "says"], code));
            Some((c.call(&["health", "request"], &h.request, &names)?, says))
        }),
        reads: spec
            .read
            .iter()
            .filter_map(|(name, read)| Some((name.clone(), c.read(name, read)?)))
            .collect(),
        actions: spec
            .action
            .iter()
            .filter_map(|(name, action)| Some((name.clone(), c.action(name, action)?)))
            .collect(),
    };
    c.tests(spec);
    if c.diags.is_empty() {
        Ok(program)
    } else {
        Err(c.diags)
    }
}

/// The setting that an argument falls back to.
#[must_use]
pub fn by_setting(spec: &ArgSpec) -> Option<&str> {
    spec.default
        .as_ref()?
        .as_str()?
        .strip_prefix("{{ settings.")?
        .strip_suffix(" }}")
}

struct Compiler<'a> {
    source: &'a Source,
    base: Names,
    diags: Vec<Diag>,
}

fn join<'a>(keys: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    keys.iter().chain(more).copied().collect()
}

impl Compiler<'_> {
    fn refuse(&mut self, keys: &[&str], message: impl Into<String>) {
        self.diags.push(self.source.at(keys, None, message));
    }

    fn jq(&mut self, keys: &[&str], code: &str) -> Option<Jq> {
        match Filter::compile(code) {
            Ok(filter) => Some(Arc::new(filter)),
            Err(e) => {
                self.diags.push(
                    self.source
                        .at(keys, Some(e.at), format!("jq: {}", e.message)),
                );
                None
            }
        }
    }

    fn template(
        &mut self,
        keys: &[&str],
        text: &str,
        place: Place,
        names: &Names,
    ) -> Option<Template> {
        match Template::parse(text, place, names) {
            Ok(template) => Some(template),
            Err(e) => {
                self.diags.push(self.source.at(keys, Some(e.at), e.message));
                None
            }
        }
    }

    fn templates<'s>(
        &mut self,
        keys: &[&str],
        map: impl IntoIterator<Item = (&'s String, &'s String)>,
        names: &Names,
    ) -> Vec<(String, Template)> {
        map.into_iter()
            .filter_map(|(key, text)| {
                let place = join(keys, &[key.as_str()]);
                let template = self.template(&place, text, Place::Text, names)?;
                Some((key.clone(), template))
            })
            .collect()
    }

    /// A form's fields: their names are templates too.
    fn fields(
        &mut self,
        keys: &[&str],
        form: &BTreeMap<String, String>,
        names: &Names,
    ) -> Vec<(Template, Template)> {
        form.iter()
            .filter_map(|(key, text)| {
                let place = join(keys, &[key.as_str()]);
                let name = self.template(&place, key, Place::Text, names)?;
                let value = self.template(&place, text, Place::Text, names)?;
                Some((name, value))
            })
            .collect()
    }

    fn filters(&mut self, keys: &[&str], map: &BTreeMap<String, String>) -> Vec<(String, Jq)> {
        map.iter()
            .filter_map(|(key, code)| {
                Some((key.clone(), self.jq(&join(keys, &[key.as_str()]), code)?))
            })
            .collect()
    }

    /// `[http]`.
    fn http(&mut self, spec: &ConnectorSpec) {
        let names = self.base.clone();
        self.template(
            &["http", "base_url"],
            &spec.http.base_url,
            Place::Auth,
            &names,
        );
        self.templates(&["http", "headers"], &spec.http.headers, &names);
        if let Err(why) = seconds(&spec.http.timeout) {
            self.refuse(&["http", "timeout"], why);
        }
        if let Err(why) = bytes(&spec.http.max_body) {
            self.refuse(&["http", "max_body"], why);
        }
    }

    fn call(&mut self, keys: &[&str], request: &RequestSpec, names: &Names) -> Option<Call> {
        let method = match request.method.as_deref().unwrap_or("GET") {
            "GET" => Method::GET,
            "HEAD" => Method::HEAD,
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            "PATCH" => Method::PATCH,
            "DELETE" => Method::DELETE,
            other => {
                let near = did_you_mean(
                    other,
                    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].into_iter(),
                );
                self.refuse(
                    &join(keys, &["method"]),
                    format!("no such method: {other}{near}"),
                );
                return None;
            }
        };
        if !request.path.is_empty() && !request.path.starts_with('/') {
            self.refuse(&join(keys, &["path"]), "a path begins with /");
        }
        if request.json.is_some() && request.form.is_some() {
            self.refuse(keys, "a request has json or form, not both");
        }
        let json = request.json.as_ref().and_then(|value| {
            JsonTemplate::parse(value, names)
                .map_err(|(path, e)| {
                    let path: Vec<&str> = path.iter().map(String::as_str).collect();
                    let keys = join(&join(keys, &["json"]), &path);
                    self.diags
                        .push(self.source.at(&keys, Some(e.at), e.message));
                })
                .ok()
        });
        Some(Call {
            method,
            path: self.template(&join(keys, &["path"]), &request.path, Place::Path, names)?,
            query: self.templates(
                &join(keys, &["query"]),
                request
                    .query
                    .iter()
                    .flat_map(|(key, values)| values.all().iter().map(move |v| (key, v))),
                names,
            ),
            headers: self.templates(&join(keys, &["headers"]), &request.headers, names),
            json,
            form: request
                .form
                .as_ref()
                .map(|form| self.fields(&join(keys, &["form"]), form, names)),
            statuses: request.statuses.clone(),
        })
    }

    fn read(&mut self, name: &str, read: &ReadSpec) -> Option<Read> {
        let keys = ["read", name];
        let mut names = self.base.clone();
        names.insert("args", Some(read.args.keys().cloned().collect()));
        if let Some(every) = &read.every
            && let Err(why) = crate::domain::time::parse_duration(every)
        {
            self.refuse(&join(&keys, &["every"]), why);
        }
        let fields = records::fields(read.record);
        for field in read.map.keys().filter(|_| !fields.is_empty()) {
            if !fields.contains(field) {
                let near = did_you_mean(field, fields.iter().map(String::as_str));
                self.refuse(
                    &["read", name, "map", field],
                    format!("{} has no field {field}{near}", records::word(read.record)),
                );
            }
        }
        let Some(request) = &read.request else {
            self.refuse(&keys, "a read of an http connector has a request");
            return None;
        };
        let items = self.jq(&join(&keys, &["items"]), &read.items);
        let each = read.each.as_ref().and_then(|each| {
            let keys = join(&keys, &["each"]);
            let mut names = names.clone();
            names.insert("item", None);
            let when = each
                .when
                .as_ref()
                .and_then(|code| self.jq(&join(&keys, &["when"]), code));
            Some(Each {
                name: each.name.clone(),
                when,
                limit: each.limit,
                concurrency: each.concurrency.clamp(1, 16),
                call: self.call(&join(&keys, &["request"]), &each.request, &names)?,
                take: self.jq(&join(&keys, &["take"]), &each.take)?,
            })
        });
        let stream = read.stream.as_ref().and_then(|stream| {
            let request = RequestSpec {
                path: stream.path.clone(),
                query: stream.query.clone(),
                headers: BTreeMap::from([("accept".to_owned(), stream.accept.clone())]),
                ..RequestSpec::default()
            };
            self.call(&join(&keys, &["stream"]), &request, &names)
        });
        Some(Read {
            record: read.record,
            args: read.args.clone(),
            call: self.call(&join(&keys, &["request"]), request, &names)?,
            items: items?,
            pages: read.paginate.as_ref().and_then(|p| self.pages(&keys, p)),
            each,
            map: self.filters(&join(&keys, &["map"]), &read.map),
            join: read
                .join
                .as_ref()
                .and_then(|code| self.jq(&join(&keys, &["join"]), code)),
            partial: read
                .partial
                .as_ref()
                .and_then(|code| self.jq(&join(&keys, &["partial"]), code)),
            stream,
        })
    }

    fn pages(&mut self, keys: &[&str], paginate: &Paginate) -> Option<Pages> {
        Some(match paginate {
            Paginate::Link { max_pages } => Pages::Link(*max_pages),
            Paginate::Cursor {
                take,
                param,
                max_pages,
            } => Pages::Cursor(
                self.jq(&join(keys, &["paginate", "cursor", "take"]), take)?,
                param.clone(),
                *max_pages,
            ),
            Paginate::Page {
                param,
                start,
                step,
                size,
                max_pages,
            } => Pages::Number(param.clone(), *start, *step, *size, *max_pages),
            Paginate::NextUrl { take, max_pages } => Pages::Url(
                self.jq(&join(keys, &["paginate", "next_url", "take"]), take)?,
                *max_pages,
            ),
        })
    }

    fn action(&mut self, name: &str, action: &ActionSpec) -> Option<Action> {
        let keys = ["action", name];
        let mut names = self.base.clone();
        names.insert("args", Some(action.args.keys().cloned().collect()));
        names.insert("intent", Some(INTENT.map(str::to_owned).to_vec()));
        self.template(
            &join(&keys, &["summary"]),
            &action.summary,
            Place::Text,
            &names,
        );
        for (arg, spec) in &action.args {
            if let Some(setting) = by_setting(spec)
                && let Some(Some(known)) = self.base.get("settings")
                && !known.iter().any(|k| k == setting)
            {
                let near = did_you_mean(setting, known.iter().map(String::as_str));
                self.refuse(
                    &["action", name, "args", arg],
                    format!("settings.{setting} is not declared{near}"),
                );
            }
        }
        let mut steps = Vec::new();
        let mut known: Vec<String> = Vec::new();
        for (i, step) in action.steps.iter().enumerate() {
            names.insert("steps", Some(known.clone()));
            let i = i.to_string();
            steps.extend(self.step(&join(&keys, &["steps", &i]), step, &names));
            known.push(step.name.clone());
        }
        names.insert("steps", Some(known));
        let receipt = self.filters(&join(&keys, &["receipt"]), &action.receipt);
        let fail = action
            .fail
            .as_ref()
            .and_then(|code| self.jq(&join(&keys, &["fail"]), code));
        let find = action
            .find
            .as_ref()
            .and_then(|find| self.find(&keys, find, &names, &receipt));
        let Some(request) = &action.request else {
            self.refuse(&keys, "an action has a request");
            return None;
        };
        Some(Action {
            verb: action.verb,
            args: action.args.clone(),
            idempotent: action.idempotent,
            fail,
            steps,
            call: self.call(&join(&keys, &["request"]), request, &names)?,
            find,
            receipt,
        })
    }

    fn find(
        &mut self,
        keys: &[&str],
        find: &FindSpec,
        names: &Names,
        receipt: &[(String, Jq)],
    ) -> Option<Find> {
        let keys = join(keys, &["find"]);
        self.find_at(&keys, find, names, receipt)
    }

    fn find_at(
        &mut self,
        keys: &[&str],
        find: &FindSpec,
        names: &Names,
        receipt: &[(String, Jq)],
    ) -> Option<Find> {
        let settles = match find.settled() {
            Ok(seconds) => seconds.map(Duration::from_secs),
            Err(why) => {
                self.refuse(&join(keys, &["settles"]), why);
                return None;
            }
        };
        let before = match &find.before {
            Some(first) => {
                let keys = join(keys, &["before"]);
                Some(Box::new(self.find_at(&keys, first, names, receipt)?))
            }
            None => None,
        };
        let own = self.filters(&join(keys, &["receipt"]), &find.receipt);
        Some(Find {
            call: self.call(&join(keys, &["request"]), &find.request, names)?,
            take: self.jq(&join(keys, &["take"]), &find.take)?,
            settles,
            before,
            receipt: if own.is_empty() {
                receipt.to_vec()
            } else {
                own
            },
        })
    }

    fn step(&mut self, keys: &[&str], step: &StepSpec, names: &Names) -> Option<Step> {
        let every = match step.every.as_deref().map(seconds) {
            None => Duration::from_secs(2),
            Some(Ok(every)) => every,
            Some(Err(why)) => {
                self.refuse(&join(keys, &["every"]), why);
                return None;
            }
        };
        let until = step
            .until
            .as_ref()
            .and_then(|code| self.jq(&join(keys, &["until"]), code));
        Some(Step {
            name: step.name.clone(),
            call: self.call(&join(keys, &["request"]), &step.request, names)?,
            take: self.jq(&join(keys, &["take"]), &step.take)?,
            until,
            every,
            max: step.max.unwrap_or(10).clamp(1, 100),
        })
    }

    /// Test rows name reads and actions that are there.
    fn tests(&mut self, spec: &ConnectorSpec) {
        for (i, test) in spec.test.iter().enumerate() {
            let i = i.to_string();
            if let Some(read) = test.read.as_ref().filter(|r| !spec.read.contains_key(*r)) {
                let near = did_you_mean(read, spec.read.keys().map(String::as_str));
                self.refuse(
                    &["test", &i, "read"],
                    format!("there is no read {read}{near}"),
                );
            }
            if let Some(action) = test
                .action
                .as_ref()
                .filter(|a| !spec.action.contains_key(*a))
            {
                let near = did_you_mean(action, spec.action.keys().map(String::as_str));
                self.refuse(
                    &["test", &i, "action"],
                    format!("there is no action {action}{near}"),
                );
            }
        }
    }
}
