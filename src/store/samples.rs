//! Kept samples: one value a series and bucket.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::{QueryBuilder, Sqlite};

use super::connection::WriteTx;
use super::error::{StoreError, named};
use super::{Store, at_most};

/// The longest part of a series' name, in bytes.
const MAX_TEXT: usize = 1024;

/// Rows of one INSERT: three values each, under SQLite's 32,766.
const ROWS: usize = 2000;

/// Series that are looked up one by one.
const FEW: usize = 8;

/// Series of one transaction that thins them.
const SERIES_A_TURN: usize = 500;

/// Rows of one transaction: an append waits no longer than that takes.
const ROWS_A_TURN: usize = 10_000;

/// What a value is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Series {
    /// The metric.
    pub metric: String,
    /// The service.
    pub service: String,
    /// The group: canary, stable, all, …
    pub group: String,
    /// The part: good, total, value, …
    pub part: String,
}

/// Values of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    /// Of what.
    pub series: Series,
    /// End of the bucket in Unix seconds, and the value. A NaN was an answer of NaN; no row is no answer.
    pub points: Vec<(i64, f64)>,
}

/// Which samples to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampleQuery {
    /// Of this metric.
    pub metric: String,
    /// Of this service; of all when `None`.
    pub service: Option<String>,
    /// Of this group; of all when `None`.
    pub group: Option<String>,
    /// Of this part; of all when `None`.
    pub part: Option<String>,
    /// Buckets that end after this, in Unix seconds.
    pub after: i64,
    /// Buckets that end at this or before, in Unix seconds.
    pub until: i64,
}

impl Store {
    /// Keeps samples; a value for a bucket that is kept already replaces it. Large sets are written in several
    /// transactions, so that the journal never waits long: a failure may leave the first part written.
    ///
    /// # Errors
    /// As every write.
    pub async fn put_samples(&self, sets: &[Samples]) -> Result<(), StoreError> {
        for set in sets {
            for text in [
                &set.series.metric,
                &set.series.service,
                &set.series.group,
                &set.series.part,
            ] {
                at_most("A series' name", text.len(), MAX_TEXT)?;
            }
        }
        let mut tx = self.begin("keeping samples").await?;
        let known = known(&mut tx, sets).await?;
        let mut written = 0;
        // Rows of many series in one statement: five hundred services bring one bucket each.
        let mut rows = Vec::with_capacity(ROWS);
        for set in sets {
            let id = match known.get(&set.series) {
                Some(id) => *id,
                None => series_id(&mut tx, &set.series).await?,
            };
            for (bucket, value) in &set.points {
                rows.push((id, *bucket, *value));
                if rows.len() < ROWS {
                    continue;
                }
                put(&mut tx, &rows).await?;
                written += rows.len();
                rows.clear();
                if written >= ROWS_A_TURN {
                    tx.commit().await?;
                    tx = self.begin("keeping samples").await?;
                    written = 0;
                }
            }
        }
        if !rows.is_empty() {
            put(&mut tx, &rows).await?;
        }
        tx.commit().await
    }

    /// Lets go of what nobody asks for any more: of the services named in `long` what ended before `long_before`, of all others what
    /// ended before `before` (Unix seconds); returns how many samples.
    ///
    /// # Errors
    /// As every write.
    pub async fn thin_samples(
        &self,
        long: &[String],
        long_before: i64,
        before: i64,
    ) -> Result<u64, StoreError> {
        let fail = |e| named(self.file(), "thinning samples", e);
        let all: Vec<(i64, String)> = sqlx::query_as("SELECT id, service FROM series ORDER BY id")
            .fetch_all(self.readers())
            .await
            .map_err(fail)?;
        let mut dropped = 0;
        for some in all.chunks(SERIES_A_TURN) {
            // A turn at a time, and the journal has its own between two.
            let mut tx = self.begin("thinning samples").await?;
            for (id, service) in some {
                let until = if long.contains(service) {
                    long_before
                } else {
                    before
                };
                let done = sqlx::query("DELETE FROM sample WHERE series = ?1 AND bucket < ?2")
                    .bind(id)
                    .bind(until)
                    .execute(tx.conn())
                    .await
                    .map_err(|e| tx.failed(e))?;
                dropped += done.rows_affected();
                sqlx::query("DELETE FROM series WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM sample WHERE series = ?1)")
                    .bind(id)
                    .execute(tx.conn())
                    .await
                    .map_err(|e| tx.failed(e))?;
            }
            tx.commit().await?;
        }
        Ok(dropped)
    }

    /// Reads samples, by series and then by bucket; series without a sample in the span are left out.
    ///
    /// # Errors
    /// As every read.
    pub async fn samples(&self, query: &SampleQuery) -> Result<Vec<Samples>, StoreError> {
        let fail = |e| named(self.file(), "reading samples", e);
        let mut connection = self.readers().acquire().await.map_err(fail)?;
        let series: Vec<(i64, String, String, String, String)> = sqlx::query_as(
            "SELECT id, metric, service, grp, part FROM series WHERE metric = ?1 AND (?2 IS NULL OR service = ?2) \
             AND (?3 IS NULL OR grp = ?3) AND (?4 IS NULL OR part = ?4) ORDER BY metric, service, grp, part",
        )
        .bind(&query.metric)
        .bind(&query.service)
        .bind(&query.group)
        .bind(&query.part)
        .fetch_all(&mut *connection)
        .await
        .map_err(fail)?;
        let mut out = Vec::new();
        for (id, metric, service, group, part) in series {
            let rows: Vec<(i64, Option<f64>)> = sqlx::query_as(
                "SELECT bucket, value FROM sample WHERE series = ?1 AND bucket > ?2 AND bucket <= ?3 ORDER BY bucket",
            )
            .bind(id)
            .bind(query.after)
            .bind(query.until)
            .fetch_all(&mut *connection)
            .await
            .map_err(fail)?;
            if !rows.is_empty() {
                let points = rows
                    .into_iter()
                    .map(|(bucket, value)| (bucket, value.unwrap_or(f64::NAN)))
                    .collect();
                out.push(Samples {
                    series: Series {
                        metric,
                        service,
                        group,
                        part,
                    },
                    points,
                });
            }
        }
        Ok(out)
    }

    /// First and last bucket kept of each series of a metric: what need not be read again.
    ///
    /// # Errors
    /// As every read.
    pub async fn sample_spans(
        &self,
        metric: &str,
    ) -> Result<BTreeMap<Series, (i64, i64)>, StoreError> {
        let rows: Vec<(String, String, String, String, i64, i64)> = sqlx::query_as(
            "SELECT metric, service, grp, part, \
             (SELECT bucket FROM sample WHERE series = id ORDER BY bucket LIMIT 1) AS first, \
             (SELECT bucket FROM sample WHERE series = id ORDER BY bucket DESC LIMIT 1) \
             FROM series WHERE metric = ?1 AND first IS NOT NULL",
        )
        .bind(metric)
        .fetch_all(self.readers())
        .await
        .map_err(|e| named(self.file(), "reading samples", e))?;
        let span = |(metric, service, group, part, first, last)| {
            (
                Series {
                    metric,
                    service,
                    group,
                    part,
                },
                (first, last),
            )
        };
        Ok(rows.into_iter().map(span).collect())
    }
}

/// Ids of the series that are there already, where there are enough of them that one question is less than one each.
async fn known(tx: &mut WriteTx<'_>, sets: &[Samples]) -> Result<HashMap<Series, i64>, StoreError> {
    let mut out = HashMap::new();
    if sets.len() < FEW {
        return Ok(out);
    }
    let metrics: BTreeSet<&str> = sets.iter().map(|s| s.series.metric.as_str()).collect();
    for metric in metrics {
        let rows: Vec<(i64, String, String, String)> =
            sqlx::query_as("SELECT id, service, grp, part FROM series WHERE metric = ?1")
                .bind(metric)
                .fetch_all(tx.conn())
                .await
                .map_err(|e| tx.failed(e))?;
        out.extend(rows.into_iter().map(|(id, service, group, part)| {
            let metric = metric.to_owned();
            let series = Series {
                metric,
                service,
                group,
                part,
            };
            (series, id)
        }));
    }
    Ok(out)
}

async fn series_id(tx: &mut WriteTx<'_>, series: &Series) -> Result<i64, StoreError> {
    // The update changes nothing; it makes RETURNING answer for a series that is there already.
    sqlx::query_scalar(
        "INSERT INTO series (metric, service, grp, part) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT DO UPDATE SET metric = excluded.metric RETURNING id",
    )
    .bind(&series.metric)
    .bind(&series.service)
    .bind(&series.group)
    .bind(&series.part)
    .fetch_one(tx.conn())
    .await
    .map_err(|e| tx.failed(e))
}

async fn put(tx: &mut WriteTx<'_>, rows: &[(i64, i64, f64)]) -> Result<(), StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO sample (series, bucket, value) ");
    query.push_values(rows, |mut row, (id, bucket, value)| {
        row.push_bind(*id)
            .push_bind(*bucket)
            .push_bind((!value.is_nan()).then_some(*value));
    });
    query.push(" ON CONFLICT DO UPDATE SET value = excluded.value");
    // Kept prepared only in its full length: the rest has as many lengths as it likes.
    let full = rows.len() == ROWS;
    query
        .build()
        .persistent(full)
        .execute(tx.conn())
        .await
        .map_err(|e| tx.failed(e))?;
    Ok(())
}
