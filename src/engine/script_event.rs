//! What is told to client-reconfig-script (spec 2 §10.1).

use super::cx::Cx;
use super::fleet::Fleet;
use crate::model::{Address, MasterId};

/// Queues `<master> <leader|observer> start <from ip> <from port> <to ip> <to port>`, if a script is configured.
pub fn reconfigured(fleet: &Fleet, cx: &mut Cx, id: MasterId, role: &str, from: &Address, to: &Address) {
    let master = &fleet.masters[id];
    let Some(path) = master.settings.client_reconfig_script.clone() else { return };
    let ((from_host, from_port), (to_host, to_port)) = (cx.globals.shown(from), cx.globals.shown(to));
    let argv = vec![
        path,
        master.name.to_string(),
        role.to_owned(),
        "start".to_owned(),
        from_host,
        from_port.to_string(),
        to_host,
        to_port.to_string(),
    ];
    let now = cx.mono();
    cx.scripts.push(argv, now);
}
