//! Globs over names: `*` is any text, `?` one character.

/// Whether the whole of `text` matches the glob. Everything but `*` and `?` stands for itself. Takes time proportional to the product of
/// both lengths at worst.
#[must_use]
pub fn glob_matches(glob: &str, text: &str) -> bool {
    let (glob, text): (Vec<char>, Vec<char>) = (glob.chars().collect(), text.chars().collect());
    let (mut g, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match glob.get(g) {
            Some('*') => {
                star = Some((g, t));
                g += 1;
            }
            Some(c) if *c == '?' || text.get(t) == Some(c) => {
                g += 1;
                t += 1;
            }
            // The last star takes one character more.
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    g = at + 1;
                    t = taken + 1;
                }
                None => return false,
            },
        }
    }
    glob.iter().skip(g).all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("*", "", true)]
    #[case("", "", true)]
    #[case("", "a", false)]
    #[case("prod*", "production", true)]
    #[case("*-eu", "prod-eu", true)]
    #[case("*-eu", "prod-us", false)]
    #[case("a*b*c", "axxbyybzc", true)]
    #[case("pay?ents", "payments", true)]
    #[case("pay?", "pay", false)]
    #[case("checkout", "checkout-api", false)]
    fn globs(#[case] glob: &str, #[case] text: &str, #[case] matches: bool) {
        assert_eq!(glob_matches(glob, text), matches);
    }
}
