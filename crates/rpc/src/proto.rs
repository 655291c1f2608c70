//! The code generated from `proto/`.

#![allow(clippy::all, clippy::unwrap_used, clippy::expect_used)]

pub use yagura::{ingester::v1 as ingester, model::v1 as model, reader::v1 as reader, ruler::v1 as ruler};

// Generated code refers to other packages by this tree.
mod yagura {
    pub mod model {
        pub mod v1 {
            tonic::include_proto!("yagura.model.v1");
        }
    }
    pub mod ingester {
        pub mod v1 {
            tonic::include_proto!("yagura.ingester.v1");
        }
    }
    pub mod reader {
        pub mod v1 {
            tonic::include_proto!("yagura.reader.v1");
        }
    }
    pub mod ruler {
        pub mod v1 {
            tonic::include_proto!("yagura.ruler.v1");
        }
    }
}

pub mod health {
    tonic::include_proto!("grpc.health.v1");
}
