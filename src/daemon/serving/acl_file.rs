//! ACL SAVE and ACL LOAD: the users in a file of their own (directive `aclfile`).

use std::fs;

use bytes::Bytes;
use tracing::warn;

use super::connection::Connection;
use super::handle::Doom;
use super::listen::reason;
use crate::acl::{DEFAULT_USER, file};
use crate::daemon::config_file::ConfigFile;
use crate::wire::Value;

const NO_FILE: &str = "This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.";
const NOT_SAVED: &str =
    "There was an error trying to save the ACLs. Please check the server logs for more information";

impl Connection {
    /// ACL SAVE.
    pub fn save_users(&mut self) -> Result<Value, Value> {
        let path = self.acl_path()?;
        match ConfigFile::new(&path).replace(&file::render(&self.shared.acl.load())) {
            Ok(()) => Ok(Value::OK),
            Err(error) => {
                warn!("Saving ACL file '{path}': {}", error.reason());
                Err(Value::error(NOT_SAVED))
            }
        }
    }

    /// ACL LOAD: all users are replaced, or none. Connections of all users but `default` are closed, as in the reference.
    pub fn load_users(&mut self) -> Result<Value, Value> {
        let path = self.acl_path()?;
        let text = fs::read(&path).map_err(|error| {
            Value::error(format!("Error loading ACLs, opening file '{path}': {}", reason(&error)))
        })?;
        let loaded = file::load(&path, &text, self.shared.settings.acl_pubsub_default_allow);
        let loaded = loaded.map_err(|problems| Value::error(Bytes::from(problems)))?;
        self.shared.edit_users(|acl| {
            *acl = loaded;
            Ok::<_, Value>(())
        })?;
        for client in self.shared.registry.all().iter().filter(|client| !client.is_user(DEFAULT_USER)) {
            if client.id == self.handle.id {
                self.close_after_replies();
            } else {
                client.doom(Doom::Now);
            }
        }
        Ok(Value::OK)
    }

    fn acl_path(&self) -> Result<String, Value> {
        let path = self.shared.settings.acl_file.clone().filter(|path| !path.is_empty());
        path.ok_or_else(|| Value::error(NO_FILE))
    }
}
