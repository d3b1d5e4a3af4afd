//! The options of the mass benchmark.

use std::path::PathBuf;

use crate::support::Kind;

/// What to say to who uses it wrongly.
pub const USAGE: &str =
    "usage: bench-mass [--sentinels N] [--masters N] [--replicas N] [--down-after MS] [--failover-timeout MS]
                  [--publish-period MS] [--settle S] [--patience S] [--only sentineld|redis-sentinel|mixed]...
                  [--keep FOLDER]";

/// Of which kinds the Sentinels are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mix {
    Subject,
    Reference,
    /// Half and half; the odd one is a sentineld.
    Mixed,
}

impl Mix {
    /// The kind of the Sentinel with this index.
    pub fn kind(self, index: usize) -> Kind {
        match self {
            Mix::Subject => Kind::Subject,
            Mix::Reference => Kind::Reference,
            Mix::Mixed if index.is_multiple_of(2) => Kind::Subject,
            Mix::Mixed => Kind::Reference,
        }
    }

    /// For tables and messages.
    pub fn title(self, sentinels: usize) -> String {
        match self {
            Mix::Subject => "sentineld".to_owned(),
            Mix::Reference => "redis-sentinel".to_owned(),
            Mix::Mixed => format!("{} + {}", sentinels.div_ceil(2), sentinels / 2),
        }
    }
}

/// What to measure.
pub struct Options {
    pub sentinels: usize,
    pub masters: usize,
    pub replicas: usize,
    pub down_after_ms: u64,
    pub failover_timeout_ms: u64,
    /// `PUBLISH-PERIOD` of all Sentinels.
    pub publish_period_ms: u64,
    /// How long the fleet may take to become steady.
    pub settle_s: u64,
    /// How long the recovery may take.
    pub patience_s: u64,
    pub mixes: Vec<Mix>,
    /// Where to copy the logs.
    pub keep: Option<PathBuf>,
}

impl Options {
    /// Reads the command line.
    pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
        let mut options = Options {
            sentinels: 17,
            masters: 400,
            replicas: 1,
            down_after_ms: 5000,
            failover_timeout_ms: 60_000,
            publish_period_ms: 20_000,
            settle_s: 300,
            patience_s: 300,
            mixes: Vec::new(),
            keep: None,
        };
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} needs a value"));
            let number = |text: String| text.parse::<u64>().map_err(|_| format!("{arg} needs a number"));
            match arg.as_str() {
                "--sentinels" => options.sentinels = number(value()?)? as usize,
                "--masters" => options.masters = number(value()?)? as usize,
                "--replicas" => options.replicas = number(value()?)? as usize,
                "--down-after" => options.down_after_ms = number(value()?)?,
                "--failover-timeout" => options.failover_timeout_ms = number(value()?)?,
                "--publish-period" => options.publish_period_ms = number(value()?)?,
                "--settle" => options.settle_s = number(value()?)?,
                "--patience" => options.patience_s = number(value()?)?,
                "--keep" => options.keep = Some(value()?.into()),
                "--only" => options.mixes.push(match value()?.as_str() {
                    "sentineld" => Mix::Subject,
                    "redis-sentinel" => Mix::Reference,
                    "mixed" => Mix::Mixed,
                    other => return Err(format!("no such kind: {other}")),
                }),
                // Cargo adds this one.
                "--bench" => {}
                other => return Err(format!("no such option: {other}")),
            }
        }
        if options.mixes.is_empty() {
            options.mixes = vec![Mix::Reference, Mix::Mixed, Mix::Subject];
        }
        let good = options.sentinels > 0 && options.masters > 0 && options.replicas > 0;
        good.then_some(options).ok_or("there must be Sentinels, masters and replicas".to_owned())
    }
}
