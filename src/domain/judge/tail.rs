//! Tail bounds and normal quantiles, on the special functions of statrs.

use statrs::function::erf::{erfc, erfc_inv};
use statrs::function::gamma::checked_gamma_ur;

/// P(Poisson(`mean`) ≤ `count`), by the identity with the regularised upper incomplete gamma function (Abramowitz and
/// Stegun 26.4.21). `None` where the function does not converge to a number.
fn poisson_cdf(count: f64, mean: f64) -> Option<f64> {
    if mean <= 0.0 {
        return Some(1.0);
    }
    checked_gamma_ur(count + 1.0, mean)
        .ok()
        .filter(|p| p.is_finite())
}

/// The mean at which P(Poisson(mean) ≤ `count`) has fallen to `p`, by bisection.
fn poisson_mean_where(count: f64, p: f64) -> Option<f64> {
    let (mut low, mut high) = (0.0, count + 20.0 * (count + 1.0).sqrt() + 20.0);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if poisson_cdf(count, middle)? > p {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(0.5 * (low + high))
}

/// One-sided exact upper bound of a Poisson mean after `count` events (Garwood 1936): the largest mean under which so
/// few events still have probability 1 − `level`. `None` for a count or level that is no such number.
pub(super) fn poisson_upper(count: f64, level: f64) -> Option<f64> {
    usable(count, level)?;
    poisson_mean_where(count, 1.0 - level)
}

/// One-sided exact lower bound of a Poisson mean after `count` events (Garwood 1936); 0 for no events.
pub(super) fn poisson_lower(count: f64, level: f64) -> Option<f64> {
    usable(count, level)?;
    if count < 1.0 {
        return Some(0.0);
    }
    poisson_mean_where(count - 1.0, level)
}

fn usable(count: f64, level: f64) -> Option<()> {
    (count.is_finite() && count >= 0.0 && level > 0.0 && level < 1.0).then_some(())
}

/// P(Z > `z`) for a standard normal Z.
pub(super) fn normal_upper_tail(z: f64) -> f64 {
    0.5 * erfc(z / std::f64::consts::SQRT_2)
}

/// The z with P(Z > z) = `p`, for 0 < `p` < 1.
pub(super) fn normal_upper_quantile(p: f64) -> f64 {
    std::f64::consts::SQRT_2 * erfc_inv(2.0 * p)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, wanted: f64, by: f64) {
        assert!((got - wanted).abs() <= by, "{got} is not {wanted}");
    }

    /// Garwood's limits as tabulated (Pearson and Hartley, Biometrika Tables, table 40; 95 % two-sided = 97.5 % one-sided).
    #[test]
    fn poisson_bounds_equal_the_published_limits() {
        for (count, lower, upper) in [
            (0.0, 0.0, 3.689),
            (1.0, 0.0253, 5.572),
            (2.0, 0.242, 7.225),
            (5.0, 1.623, 11.668),
            (10.0, 4.795, 18.390),
            (50.0, 37.111, 65.919),
        ] {
            near(poisson_lower(count, 0.975).unwrap(), lower, 6e-4);
            near(poisson_upper(count, 0.975).unwrap(), upper, 6e-4);
        }
        near(poisson_upper(0.0, 0.98).unwrap(), -(0.02_f64.ln()), 1e-9);
    }

    #[test]
    fn bounds_of_nonsense_are_absent() {
        for count in [f64::NAN, -1.0, f64::INFINITY] {
            assert_eq!(poisson_upper(count, 0.98), None);
            assert_eq!(poisson_lower(count, 0.98), None);
        }
        assert_eq!(poisson_upper(3.0, 1.0), None);
    }

    #[test]
    fn normal_quantiles_equal_the_tables() {
        near(normal_upper_quantile(0.025), 1.959_964, 1e-6);
        near(normal_upper_quantile(0.01), 2.326_348, 1e-6);
        near(normal_upper_tail(1.644_854), 0.05, 1e-7);
    }
}
