//! Reads: pages, second calls, mapping, records.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value;

use super::{EXCERPT, Engine, arguments, filter};
use crate::connect::compile::{Each, Jq, Pages, Read};
use crate::connect::jq::{Input, Known, Scope};
use crate::connect::pages::next_link;
use crate::connect::records::{self, Misfit};
use crate::connect::transport::{Payload, Reply, Request, Target, Transport};
use crate::domain::observe::{Answer, Call, Fault, FaultKind};
use crate::domain::record::Records;
use crate::domain::text::clean;

/// Most items of one answer, all its pages together.
const ITEMS: usize = 10_000;

/// Most answers whose records are remembered.
const SEEN: usize = 256;

/// Read and arguments → a mark of the items last mapped, and their records: most answers say the same as the one before, and the
/// filters are what a read costs.
pub(super) type Seen = Mutex<HashMap<String, (u64, Records)>>;

/// What the pages brought.
#[derive(Default)]
struct Gathered {
    items: Vec<Value>,
    partial: Option<String>,
    scope: Scope,
}

impl Engine {
    /// Performs one read.
    pub(super) async fn perform(&self, call: &Call) -> Result<Answer, Fault> {
        let Some(read) = self.program.reads.get(&call.read) else {
            let near = crate::connect::template::did_you_mean(
                &call.read,
                self.program.reads.keys().map(String::as_str),
            );
            let what = format!("its connector has no read {}{near}", call.read);
            return Err(self.fault(FaultKind::Config, &what, ""));
        };
        let given = call.args.iter().map(|(k, v)| (k.clone(), v.clone().into()));
        let args = arguments(&read.args, given, &self.settings).map_err(|why| {
            self.fault(FaultKind::Config, &format!("read {}: {why}", call.read), "")
        })?;
        let transport = self.line.transport().await?;
        let mut got = self.gather(&transport, &call.read, read, &args).await?;
        if let Some(each) = &read.each {
            self.second_calls(&transport, &call.read, each, &args, &mut got)
                .await?;
        }
        if let Some(join) = &read.join {
            let all = Value::Array(std::mem::take(&mut got.items));
            got.items = filter::all(join, all.clone(), got.scope.clone(), ITEMS)
                .await
                .map_err(|why| self.misshapen(&transport, &call.read, "join", &why, &all))?;
        }
        let records = self
            .map(&transport, &call.read, read, got.items, got.scope)
            .await?;
        Ok(Answer {
            records,
            newest: None,
            partial: got.partial,
            interval: None,
        })
    }

    /// All pages' items.
    async fn gather(
        &self,
        transport: &Transport,
        name: &str,
        read: &Read,
        args: &Value,
    ) -> Result<Gathered, Fault> {
        let values = self.values(args);
        let first = self.request(&read.call, &values).await?;
        let mut request = first.clone();
        let mut got = Gathered::default();
        let mut page = 1;
        if let Some(Pages::Number(param, start, ..)) = &read.pages {
            set_query(&mut request, param, start.to_string());
        }
        loop {
            let (reply, body) = self.ask(transport, &read.call, &request, args).await?;
            let scope = self.scope(args, &Value::Null, Some(&reply));
            let items = filter::all(&read.items, body.clone(), scope.clone(), ITEMS)
                .await
                .map_err(|why| self.misshapen(transport, name, "items", &why, &body))?;
            let count = items.len();
            if let Some(partial) = &read.partial {
                let why = filter::one(partial, body.clone(), scope.clone())
                    .await
                    .map_err(|why| self.misshapen(transport, name, "partial", &why, &body))?;
                got.partial = why.as_str().map(|w| clean(w, 200)).or(got.partial);
            }
            got.items.extend(items);
            got.scope = scope;
            if got.items.len() >= ITEMS {
                got.partial = Some(format!("only the first {ITEMS} items were read"));
                got.items.truncate(ITEMS);
                return Ok(got);
            }
            let Some(pages) = &read.pages else {
                return Ok(got);
            };
            let Some(next) = self
                .next(pages, &first, &reply, body, &got.scope, count, page)
                .await
                .map_err(|why| self.misshapen(transport, name, "paginate", &why, &Value::Null))?
            else {
                return Ok(got);
            };
            if page >= most(pages) {
                got.partial = Some(format!("only the first {page} pages were read"));
                return Ok(got);
            }
            request = next;
            page += 1;
        }
    }

    /// The request for the next page; `None` where there is none.
    #[expect(clippy::too_many_arguments, reason = "one answer in its parts")]
    async fn next(
        &self,
        pages: &Pages,
        first: &Request,
        reply: &Reply,
        body: Value,
        scope: &Scope,
        count: usize,
        page: u32,
    ) -> Result<Option<Request>, String> {
        let at = |address: String| Request {
            target: Target::Absolute(address),
            query: Vec::new(),
            ..first.clone()
        };
        let text = |value: Value| match value {
            Value::Null | Value::Bool(false) => None,
            Value::String(s) => (!s.is_empty()).then_some(s),
            other => Some(other.to_string()),
        };
        Ok(match pages {
            Pages::Link(_) => reply
                .header("link")
                .and_then(next_link)
                .map(|address| at(address.to_owned())),
            Pages::Url(take, _) => text(filter::one(take, body, scope.clone()).await?).map(at),
            Pages::Cursor(take, param, _) => text(filter::one(take, body, scope.clone()).await?)
                .map(|cursor| {
                    let mut request = first.clone();
                    match &mut request.body {
                        Payload::Json(body) => set_json(body, param, cursor),
                        _ => set_query(&mut request, param, cursor),
                    }
                    request
                }),
            Pages::Number(param, start, step, size, _) => (count >= *size as usize && count > 0)
                .then(|| {
                    let mut request = first.clone();
                    let number = u64::from(*start) + u64::from(page) * u64::from(*step);
                    set_query(&mut request, param, number.to_string());
                    request
                }),
        })
    }

    /// The second call of every item that needs one.
    async fn second_calls(
        &self,
        transport: &Transport,
        name: &str,
        each: &Each,
        args: &Value,
        got: &mut Gathered,
    ) -> Result<(), Fault> {
        let items = std::mem::take(&mut got.items);
        let needed = self
            .needed(each, &items, &got.scope)
            .await
            .map_err(|(i, why)| {
                let item = items.get(i).unwrap_or(&Value::Null);
                self.misshapen(transport, name, "each.when", &why, item)
            })?;
        let wanted = needed.iter().filter(|n| **n).count();
        if wanted > each.limit {
            got.partial = Some(format!(
                "the second call was made for {} of {wanted} items",
                each.limit
            ));
        }
        let mut calls = 0;
        let mut kept = Vec::new();
        for (item, needs) in items.into_iter().zip(needed) {
            calls += usize::from(needs);
            if !needs || calls <= each.limit {
                kept.push((item, needs));
            }
        }
        got.items = stream::iter(kept)
            .map(|(item, needs)| self.second_call(transport, name, each, args, item, needs))
            .buffered(each.concurrency)
            .try_collect()
            .await?;
        Ok(())
    }

    /// For each item: does it need the second call?
    async fn needed(
        &self,
        each: &Each,
        items: &[Value],
        scope: &Scope,
    ) -> Result<Vec<bool>, (usize, String)> {
        let Some(when) = &each.when else {
            return Ok(vec![true; items.len()]);
        };
        let mut out = Vec::with_capacity(items.len());
        for (i, item) in items.iter().enumerate() {
            let answer = filter::one(when, item.clone(), scope.clone())
                .await
                .map_err(|why| (i, why))?;
            out.push(!matches!(answer, Value::Null | Value::Bool(false)));
        }
        Ok(out)
    }

    /// The item with the second call's answer beside its own fields; null where it is not there (404).
    async fn second_call(
        &self,
        transport: &Transport,
        name: &str,
        each: &Each,
        args: &Value,
        mut item: Value,
        needs: bool,
    ) -> Result<Value, Fault> {
        let mut taken = Value::Null;
        if needs {
            let values = self.values(args).with("item", item.clone());
            let request = self.request(&each.call, &values).await?;
            match self.ask(transport, &each.call, &request, args).await {
                Ok((reply, body)) => {
                    let scope = self.scope(args, &Value::Null, Some(&reply));
                    taken = filter::one(&each.take, body.clone(), scope)
                        .await
                        .map_err(|why| self.misshapen(transport, name, "each.take", &why, &body))?;
                }
                Err(fault) if fault.kind == FaultKind::NotFound => {}
                Err(fault) => return Err(fault),
            }
        }
        match item.as_object_mut() {
            Some(map) => {
                map.insert(each.name.clone(), taken);
                Ok(item)
            }
            None => {
                Err(self.misshapen(transport, name, "items", "an item is not an object", &item))
            }
        }
    }

    /// Items to records.
    async fn map(
        &self,
        transport: &Transport,
        name: &str,
        read: &Read,
        items: Vec<Value>,
        scope: Scope,
    ) -> Result<Records, Fault> {
        // A filter that reads the answer's headers may say another thing over the same items.
        let by_items = !read.map.iter().any(|(_, f)| f.code().contains("$headers"));
        let key = format!("{name} {} {}", scope.status, scope.args);
        let mark = by_items.then(|| mark_of(&items));
        if let Some(mark) = mark
            && let Some((before, records)) = self.seen().get(&key)
            && *before == mark
        {
            return Ok(records.clone());
        }
        let records = self.map_anew(transport, name, read, items, scope).await?;
        if let Some(mark) = mark {
            let mut seen = self.seen();
            if seen.len() >= SEEN {
                seen.clear();
            }
            seen.insert(key, (mark, records.clone()));
        }
        Ok(records)
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<String, (u64, Records)>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn map_anew(
        &self,
        transport: &Transport,
        name: &str,
        read: &Read,
        items: Vec<Value>,
        scope: Scope,
    ) -> Result<Records, Fault> {
        let (kind, zone) = (read.record, self.zone);
        let map = read.map.clone();
        let filters: Vec<&Jq> = read.map.iter().map(|(_, f)| f).collect();
        let typed = filter::beside(&filters, move || {
            let mapped = match map_all(&map, &items, &scope) {
                Ok(mapped) => mapped,
                Err((i, misfit)) => return Ok(Err((excerpt_of(&items, i), misfit))),
            };
            Ok(records::build(kind, mapped, zone)
                .map_err(|(i, misfit)| (excerpt_of(&items, i), misfit)))
        })
        .await
        .map_err(|why| self.misshapen(transport, name, "map", &why, &Value::Null))?;
        typed.map_err(|(item, Misfit { field, why })| {
            let place = if field.is_empty() {
                "items".to_owned()
            } else {
                format!("field {field}")
            };
            self.misshapen(transport, name, &place, &why, &item)
        })
    }

    /// A `BadShape` fault that names connector, read, field and the record's beginning.
    fn misshapen(
        &self,
        transport: &Transport,
        read: &str,
        place: &str,
        why: &str,
        item: &Value,
    ) -> Fault {
        let mut what = format!("read {read}, {place}: {}", clean(why, 200));
        if !item.is_null() {
            what.push_str(&format!(" in {}", clean(&item.to_string(), EXCERPT)));
        }
        let fault = self.fault(
            FaultKind::BadShape,
            &what,
            "the vendor answers in another shape than the connector's file expects: mend the file or report it",
        );
        transport.redactor().fault(fault)
    }
}

fn mark_of(items: &[Value]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for item in items {
        item.hash(&mut hasher);
    }
    hasher.finish()
}

fn most(pages: &Pages) -> u32 {
    match pages {
        Pages::Link(max) | Pages::Cursor(.., max) | Pages::Number(.., max) | Pages::Url(_, max) => {
            (*max).max(1)
        }
    }
}

fn set_query(request: &mut Request, param: &str, value: String) {
    request.query.retain(|(name, _)| name != param);
    request.query.push((param.to_owned(), value));
}

/// Puts a cursor into a JSON body, at a path such as `variables.cursor`; what stands in the way is replaced.
fn set_json(body: &mut Value, path: &str, value: String) {
    let mut place = body;
    for key in path.split('.') {
        if !place.is_object() {
            *place = Value::Object(serde_json::Map::new());
        }
        let Value::Object(map) = place else {
            return;
        };
        place = map.entry(key).or_insert(Value::Null);
    }
    *place = Value::String(value);
}

fn excerpt_of(items: &[Value], i: usize) -> Value {
    items.get(i).cloned().unwrap_or_default()
}

fn map_all(
    map: &[(String, Jq)],
    items: &[Value],
    scope: &Scope,
) -> Result<Vec<Value>, (usize, Misfit)> {
    if map.is_empty() {
        return Ok(items.to_vec());
    }
    let misfit = |i: usize, field: &str| {
        let field = field.to_owned();
        move |why| (i, Misfit { field, why })
    };
    let known = Known::of(scope).map_err(misfit(0, ""))?;
    items
        .iter()
        .enumerate()
        .map(|(i, item)| {
            let input = Input::of(item).map_err(misfit(i, ""))?;
            map.iter()
                .map(|(field, filter)| {
                    let value = filter.one_on(&input, &known).map_err(misfit(i, field))?;
                    Ok((field.clone(), value))
                })
                .collect::<Result<serde_json::Map<_, _>, _>>()
                .map(Value::Object)
        })
        .collect()
}
