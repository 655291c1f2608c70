//! What a shell can do with a server: `yagura rules`, `yagura query`, `yagura push`.
