//! Generates messages and servers from `proto/`, without `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = "../../proto";
    println!("cargo::rerun-if-changed={root}");
    let files = [
        "yagura/ingester/v1/ingester.proto",
        "yagura/reader/v1/reader.proto",
        "yagura/ruler/v1/ruler.proto",
        "grpc/health/v1/health.proto",
    ];
    let descriptors = protox::compile(files.map(|file| format!("{root}/{file}")), [root])?;
    tonic_prost_build::configure()
        .build_client(false)
        .bytes(".")
        .codec_path("crate::codec::ServerCodec")
        .compile_fds(descriptors)?;
    Ok(())
}
