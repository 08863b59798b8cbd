//! jq, closed in: no environment, no input, no clock, no files, no definitions, and JSON text is read with a depth limit.

mod prelude;

use jaq_core::load::lex::{Lexer, StrPart, Tok, Token};
use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Vars, data, native, unwrap_valr};
use jaq_json::Val;
use serde_json::Value;

/// Words that reach outside, never end, or tell the time.
const BANNED: &[&str] = &[
    "env",
    "input",
    "inputs",
    "halt",
    "halt_error",
    "debug",
    "stderr",
    "input_line_number",
    "input_filename",
    "now",
    "localtime",
    "strflocaltime",
    "def",
    "include",
    "import",
    "repeat",
    "$ENV",
    "$__loc__",
    "debug_empty",
    "stderr_empty",
    "modulemeta",
    "get_search_list",
];

type Data = data::JustLut<Val>;

/// The variables that every filter knows, in this order.
pub const VARS: [&str; 5] = ["$settings", "$args", "$intent", "$status", "$headers"];

/// Values of [`VARS`].
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The connection's settings without secrets.
    pub settings: Value,
    /// The call's arguments.
    pub args: Value,
    /// The act's mark, reason and so on; null in a read.
    pub intent: Value,
    /// The answer's status.
    pub status: Value,
    /// The answer's headers, names in lower case.
    pub headers: Value,
}

/// A compiled filter.
pub struct Filter {
    code: String,
    compiled: jaq_core::Filter<Data>,
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "jq {:?}", self.code)
    }
}

/// Why a filter is refused, and where in it (byte range).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JqError {
    /// One sentence.
    pub message: String,
    /// Byte range in the filter.
    pub at: std::ops::Range<usize>,
}

impl Filter {
    /// Compiles a filter.
    ///
    /// # Errors
    /// A sentence with the place in the filter.
    pub fn compile(code: &str) -> Result<Self, JqError> {
        check_words(code)?;
        // Every filter holds its own copy of the definitions that it is compiled with, about 100 KB for all of them. What
        // fails with the few that it names is compiled with all of them, and that answer counts.
        Self::compile_with(code, prelude::named_in(code))
            .or_else(|_| Self::compile_with(code, prelude::all()))
    }

    fn compile_with(code: &str, defs: Vec<prelude::Def>) -> Result<Self, JqError> {
        let arena = Arena::default();
        let modules = Loader::new(defs)
            .load(&arena, File { code, path: () })
            .map_err(|errors| load_error(code, &errors))?;
        let compiled = Compiler::default()
            .with_funs(funs())
            .with_global_vars(VARS)
            .compile(modules)
            .map_err(|errors| {
                let first = errors.iter().flat_map(|(_, list)| list.iter()).next();
                match first {
                    Some((name, kind)) => JqError {
                        message: format!("no such {}: {name}", kind.as_str()),
                        at: span(code, name),
                    },
                    None => JqError {
                        message: "it cannot be compiled".into(),
                        at: 0..code.len(),
                    },
                }
            })?;
        Ok(Self {
            code: code.to_owned(),
            compiled,
        })
    }

    /// The filter as written.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// All outputs, at most `cap` (one more is an error).
    ///
    /// # Errors
    /// jq's own sentence.
    pub fn run(&self, input: &Value, scope: &Scope, cap: usize) -> Result<Vec<Value>, String> {
        self.run_on(&Input::of(input)?, &Known::of(scope)?, cap)
    }

    fn run_on(&self, input: &Input, known: &Known, cap: usize) -> Result<Vec<Value>, String> {
        let ctx = Ctx::<Data>::new(&self.compiled.lut, Vars::new(known.0.clone()));
        let mut out = Vec::new();
        for result in self
            .compiled
            .id
            .run((ctx, input.0.clone()))
            .map(unwrap_valr)
        {
            let value = result.map_err(|e| crate::domain::text::clean(&e.to_string(), 200))?;
            if out.len() == cap {
                return Err(format!("more than {cap} values"));
            }
            out.push(from_val(&value)?);
        }
        Ok(out)
    }

    /// The first output; null when there is none.
    ///
    /// # Errors
    /// jq's own sentence; also for a second output.
    pub fn one(&self, input: &Value, scope: &Scope) -> Result<Value, String> {
        self.one_on(&Input::of(input)?, &Known::of(scope)?)
    }

    /// [`Self::one`] for many filters over one input: it and the scope are taken over once.
    ///
    /// # Errors
    /// jq's own sentence; also for a second output.
    pub fn one_on(&self, input: &Input, known: &Known) -> Result<Value, String> {
        Ok(self.run_on(input, known, 1)?.pop().unwrap_or_default())
    }
}

/// A value that filters can read.
pub struct Input(Val);

impl Input {
    /// Takes a value over.
    ///
    /// # Errors
    /// jq's own sentence.
    pub fn of(value: &Value) -> Result<Self, String> {
        to_val(value).map(Self)
    }
}

/// The values of [`VARS`] that filters can read.
pub struct Known(Vec<Val>);

impl Known {
    /// Takes a scope over.
    ///
    /// # Errors
    /// jq's own sentence.
    pub fn of(scope: &Scope) -> Result<Self, String> {
        let vars = [
            &scope.settings,
            &scope.args,
            &scope.intent,
            &scope.status,
            &scope.headers,
        ];
        let vars = vars.into_iter().map(to_val).collect::<Result<_, _>>()?;
        Ok(Self(vars))
    }
}

fn to_val(value: &Value) -> Result<Val, String> {
    let bytes = serde_json::to_vec(value).map_err(|e| e.to_string())?;
    jaq_json::read::parse_single(&bytes).map_err(|e| e.to_string())
}

fn from_val(value: &Val) -> Result<Value, String> {
    let text = value.to_string();
    serde_json::from_str(&text).map_err(|_| "a value that is not JSON, such as NaN".to_owned())
}

type Native = (&'static str, Box<[jaq_core::Bind]>, jaq_core::Native<Data>);

/// jq's functions without those that reach outside, and with a `fromjson` that keeps serde_json's depth limit.
fn funs() -> impl Iterator<Item = Native> {
    let harmful = [
        "halt",
        "env",
        "now",
        "localtime",
        "strflocaltime",
        "debug_empty",
        "stderr_empty",
        "fromjson",
    ];
    jaq_core::funs::<Data>()
        .chain(jaq_std::funs::<Data>())
        .chain(jaq_json::funs::<Data>())
        .filter(move |(name, _, _)| !harmful.contains(name))
        .chain(own_funs())
}

fn own_funs() -> impl Iterator<Item = Native> {
    let from_json: native::Filter<jaq_core::RunPtr<Data>> = ("fromjson", native::v(0), |cv| {
        let parsed = match &cv.1 {
            Val::TStr(bytes) | Val::BStr(bytes) => serde_json::from_slice::<Value>(bytes)
                .map_err(|e| e.to_string())
                .and_then(|v| to_val(&v)),
            _ => Err("fromjson wants a text".to_owned()),
        };
        native::bome(parsed.map_err(jaq_core::Error::str))
    });
    // Names that the standard definitions refer to; the words themselves are refused before.
    let nothing = |name: &'static str, arity: usize| -> native::Filter<jaq_core::RunPtr<Data>> {
        (name, native::v(arity), |_| {
            native::bome(Err(jaq_core::Error::str("not available in a connector")))
        })
    };
    [
        from_json,
        nothing("halt", 1),
        nothing("env", 0),
        nothing("now", 0),
        nothing("localtime", 0),
        nothing("strflocaltime", 1),
        nothing("debug_empty", 0),
        nothing("stderr_empty", 0),
    ]
    .into_iter()
    .map(native::run::<Data>)
}

fn span(whole: &str, part: &str) -> std::ops::Range<usize> {
    let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
    if start <= whole.len() {
        start..(start + part.len()).min(whole.len())
    } else {
        0..whole.len()
    }
}

/// Refuses words that reach outside, wherever they stand but in plain text.
fn check_words(code: &str) -> Result<(), JqError> {
    let tokens = Lexer::new(code).lex().map_err(|errors| {
        let (expected, rest) = match errors.first() {
            Some((expect, rest)) => (expect.as_str(), *rest),
            None => ("a token", code),
        };
        JqError {
            message: format!("expected {expected}"),
            at: span(code, rest).start..code.len(),
        }
    })?;
    check_tokens(code, &tokens)
}

fn check_tokens(code: &str, tokens: &[Token<&str>]) -> Result<(), JqError> {
    let mut before = "";
    for Token(text, kind) in tokens {
        match kind {
            // `.now` and `{now: 1}` are fields, not functions.
            Tok::Word if before != "." && BANNED.contains(text) && !is_key(code, text) => {
                return Err(JqError {
                    message: format!("{text} is not available in a connector"),
                    at: span(code, text),
                });
            }
            Tok::Var if BANNED.contains(text) => {
                return Err(JqError {
                    message: format!("{text} is not available in a connector"),
                    at: span(code, text),
                });
            }
            Tok::Block(inner) => check_tokens(code, inner)?,
            Tok::Str(parts) => {
                for part in parts {
                    if let StrPart::Term(Token(_, Tok::Block(inner))) = part {
                        check_tokens(code, inner)?;
                    }
                }
            }
            _ => {}
        }
        before = text;
    }
    Ok(())
}

/// Is the word followed by a colon (an object's key)?
fn is_key(code: &str, word: &str) -> bool {
    code.get(span(code, word).end..)
        .is_some_and(|rest| rest.trim_start().starts_with(':'))
}

fn load_error(code: &str, errors: &jaq_core::load::Errors<&str, ()>) -> JqError {
    use jaq_core::load::Error;
    for (_, error) in errors {
        match error {
            Error::Parse(list) => {
                if let Some((expected, found)) = list.first() {
                    let place = span(code, found);
                    let found = if found.is_empty() {
                        "its end".to_owned()
                    } else {
                        format!("{:?}", crate::domain::text::clean(found, 20))
                    };
                    return JqError {
                        message: format!("expected {}, found {found}", expected.as_str()),
                        at: place,
                    };
                }
            }
            Error::Lex(list) => {
                if let Some((expected, rest)) = list.first() {
                    return JqError {
                        message: format!("expected {}", expected.as_str()),
                        at: span(code, rest),
                    };
                }
            }
            Error::Io(_) => {}
        }
    }
    JqError {
        message: "it cannot be read".into(),
        at: 0..code.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    fn run(code: &str, input: Value) -> Result<Vec<Value>, String> {
        let scope = Scope {
            args: json!({"image": "a"}),
            ..Scope::default()
        };
        Filter::compile(code)
            .map_err(|e| e.message)?
            .run(&input, &scope, 10)
    }

    #[rstest]
    #[case(".a[] | .b + 1", json!({"a": [{"b": 1}, {"b": 2}]}), vec![json!(2), json!(3)])]
    #[case(r#"{queued: "queued", now: 1}[.s // ""] // "unknown""#, json!({}), vec![json!("unknown")])]
    #[case("$args.image", json!(null), vec![json!("a")])]
    #[case(".now, .env", json!({"now": 1, "env": 2}), vec![json!(1), json!(2)])]
    #[case(r#""text env now""#, json!(null), vec![json!("text env now")])]
    #[case(".m | fromjson | .x", json!({"m": "{\"x\": 5}"}), vec![json!(5)])]
    #[case("9007199254740993", json!(null), vec![json!(9_007_199_254_740_993i64)])]
    #[case("empty", json!(1), vec![])]
    // What the language itself leans on is there too, named in the filter or not.
    #[case("[..]", json!([1]), vec![json!([[1], 1])])]
    #[case("-.", json!(1), vec![json!(-1)])]
    #[case("@uri \"a?\\(.)\", @base64, @text", json!("b c"), vec![json!("a?b%20c"), json!("YiBj"), json!("b c")])]
    #[case("[.[]?] , (.x? // 2), (try error(\"e\") catch .)", json!(7), vec![json!([]), json!(2), json!("e")])]
    #[case("[limit(2; .[])], first(.[]), (.[1:] | length)", json!([1, 2, 3]), vec![json!([1, 2]), json!(1), json!(2)])]
    #[case("to_entries | map(select(.value > 1)) | from_entries", json!({"a": 1, "b": 2}), vec![json!({"b": 2})])]
    #[case("reduce .[] as $x (0; . + $x), (map(.*2) | add), (sort_by(-.) | max)", json!([1, 2]), vec![json!(3), json!(6), json!(2)])]
    #[case("test(\"^a\"), sub(\"a\"; \"b\"), ascii_downcase, (\"2026-11-20T10:00:00Z\" | fromdate)", json!("ab"), vec![json!(true), json!("bb"), json!("ab"), json!(1_795_168_800)])]
    fn filters_run(#[case] code: &str, #[case] input: Value, #[case] expected: Vec<Value>) {
        assert_eq!(run(code, input), Ok(expected));
    }

    #[test]
    fn a_filter_holds_the_definitions_that_it_can_reach_and_no_others() {
        let all = prelude::all().len();
        assert_eq!(prelude::named_in(".a.b").len(), 0);
        let few = prelude::named_in("map(select(.a)) | first").len();
        assert!(few > 2 && few < all / 3, "{few} of {all}");
    }

    #[rstest]
    #[case("env")]
    #[case("$ENV.HOME")]
    #[case("[inputs]")]
    #[case("\"\\(now)\"")]
    #[case("halt")]
    #[case("def f: f; f")]
    #[case("debug")]
    #[case("{a: input}")]
    fn nothing_reaches_outside(#[case] code: &str) {
        let error = Filter::compile(code).unwrap_err();
        assert!(error.message.contains("not available"), "{error:?}");
    }

    #[test]
    fn errors_have_a_place() {
        let code = ".a | lenght";
        let error = Filter::compile(code).unwrap_err();
        assert_eq!(&code[error.at.clone()], "lenght", "{error:?}");
        assert!(Filter::compile(".a[").is_err());
        assert!(Filter::compile("(.a").is_err());
        assert!(Filter::compile("$nope").is_err());
    }

    #[test]
    fn outputs_are_capped_and_deep_text_is_refused() {
        assert!(
            run("range(100)", json!(null))
                .unwrap_err()
                .contains("more than 10")
        );
        let deep = "[".repeat(200_000);
        assert!(run("fromjson", json!(deep)).is_err());
        assert!(
            run("nan", json!(null)).is_ok_and(|v| v == [Value::Null])
                || run("nan", json!(null)).is_err()
        );
    }
}
