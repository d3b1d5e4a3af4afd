//! Documentation of the SENTINEL subcommands.

use super::{Docs, block, integer, one_of, pattern, string, word};

pub const CKQUORUM: Docs =
    Docs::new("sentinel", "2.8.4", "Check for a Sentinel quorum").arguments(&[string("master-name")]);

pub const CONFIG: Docs =
    Docs::new("sentinel", "6.2.0", "Configure Sentinel").complexity("O(1)").arguments(&[one_of(
        "set_or_get",
        &[
            block("set_param_value", &[string("parameter"), string("value")]).token("SET").multiple(),
            string("parameter").token("GET").multiple(),
        ],
    )]);

pub const DEBUG: Docs = Docs::new("sentinel", "7.0.0", "List or update the current configurable parameters")
    .complexity("O(N) where N is the number of configurable parameters")
    .arguments(&[block("parameter_value", &[string("parameter"), string("value")]).multiple()]);

pub const FAILOVER: Docs =
    Docs::new("sentinel", "2.8.4", "Force a failover").arguments(&[string("master-name")]);

pub const FLUSHCONFIG: Docs = Docs::new("sentinel", "2.8.4", "Rewrite configuration file").complexity("O(1)");

pub const GET_MASTER_ADDR_BY_NAME: Docs = Docs::new("sentinel", "2.8.4", "Get port and address of a master")
    .complexity("O(1)")
    .arguments(&[string("master-name")]);

pub const HELP: Docs =
    Docs::new("sentinel", "6.2.0", "Show helpful text about the different subcommands").complexity("O(1)");

pub const INFO_CACHE: Docs =
    Docs::new("sentinel", "3.2.0", "Get cached INFO from the instances in the deployment")
        .complexity("O(N) where N is the number of instances")
        .arguments(&[string("nodename").multiple()]);

pub const IS_MASTER_DOWN_BY_ADDR: Docs = Docs::new("sentinel", "2.8.4", "Check if a master is down")
    .complexity("O(1)")
    .arguments(&[string("ip"), integer("port"), integer("current-epoch"), string("runid")]);

pub const MASTER: Docs = Docs::new("sentinel", "2.8.4", "Shows the state of a master")
    .complexity("O(1)")
    .arguments(&[string("master-name")]);

pub const MASTERS: Docs = Docs::new("sentinel", "2.8.4", "List the monitored masters")
    .complexity("O(N) where N is the number of masters");

pub const MONITOR: Docs = Docs::new("sentinel", "2.8.4", "Start monitoring").complexity("O(1)").arguments(&[
    string("name"),
    string("ip"),
    integer("port"),
    integer("quorum"),
]);

pub const MYID: Docs = Docs::new("sentinel", "6.2.0", "Get the Sentinel instance ID").complexity("O(1)");

pub const PENDING_SCRIPTS: Docs = Docs::new("sentinel", "2.8.4", "Get information about pending scripts");

pub const REMOVE: Docs =
    Docs::new("sentinel", "2.8.4", "Stop monitoring").complexity("O(1)").arguments(&[string("master-name")]);

pub const REPLICAS: Docs = Docs::new("sentinel", "5.0.0", "List the monitored replicas")
    .complexity("O(N) where N is the number of replicas")
    .arguments(&[string("master-name")]);

pub const RESET: Docs = Docs::new("sentinel", "2.8.4", "Reset masters by name pattern")
    .complexity("O(N) where N is the number of monitored masters")
    .arguments(&[pattern("pattern")]);

pub const SENTINELS: Docs = Docs::new("sentinel", "2.8.4", "List the Sentinel instances")
    .complexity("O(N) where N is the number of Sentinels")
    .arguments(&[string("master-name")]);

pub const SET: Docs = Docs::new("sentinel", "2.8.4", "Change the configuration of a monitored master")
    .complexity("O(1)")
    .arguments(&[
        string("master-name"),
        block("option_value", &[string("option"), string("value")]).multiple(),
    ]);

pub const SIMULATE_FAILURE: Docs = Docs::new("sentinel", "3.2.0", "Simulate failover scenarios").arguments(
    &[one_of("mode", &[word("crash-after-election"), word("crash-after-promotion"), word("help")])
        .optional()
        .multiple()],
);

pub const SLAVES: Docs = Docs::new("sentinel", "2.8.0", "List the monitored slaves")
    .complexity("O(N) where N is the number of slaves")
    .deprecated("5.0.0", "`SENTINEL REPLICAS`")
    .arguments(&[string("master-name")]);
