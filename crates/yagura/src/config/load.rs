//! The layers of the configuration: defaults, file, environment, command line.

use super::{
    Config, ConfigError,
    source::{Merge, Source},
};
use std::{fs, path::PathBuf};

/// Where settings come from; later ones go over earlier ones.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    pub file: Option<PathBuf>,
    /// The process's environment; only `YAGURA__SECTION__KEY` matters.
    pub env: Vec<(String, String)>,
    /// `section.key=value`, as given to `--set`.
    pub set: Vec<String>,
}

const ENV_PREFIX: &str = "YAGURA__";

/// # Errors
/// Everything that is wrong, each with its key, the value and where it came from.
pub fn load(layers: Layers) -> Result<Config, ConfigError> {
    let mut merge = Merge::over(&Config::default(), "", "")?;
    if let Some(file) = &layers.file {
        let name = file.display().to_string();
        let text =
            fs::read_to_string(file).map_err(|e| ConfigError(vec![format!("cannot read {name}: {e}")]))?;
        merge.add(Source::Yaml { name, text: &text });
    }
    let mut env: Vec<_> = layers.env.into_iter().filter(|(name, _)| name.starts_with(ENV_PREFIX)).collect();
    env.sort_unstable();
    for (name, value) in env {
        let key = name[ENV_PREFIX.len()..].to_lowercase().replace("__", ".");
        merge.add(Source::Single { name: format!("environment variable {name}"), key, value });
    }
    for setting in layers.set {
        let Some((key, value)) = setting.split_once('=') else {
            return Err(ConfigError(vec![format!("--set {setting}: section.key=value is wanted")]));
        };
        let (key, value) = (key.trim().to_owned(), value.to_owned());
        merge.add(Source::Single { name: "--set".into(), key, value });
    }
    merge.finish(Config::problems)
}
