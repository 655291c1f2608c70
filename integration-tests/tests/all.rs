//! Tests of real processes, in one program so that it is linked once.

mod all {
    mod alertmanager;
    mod bucket_tool;
    mod bucket_tool_commands;
    mod config;
    mod deletions;
    mod deploy;
    mod disk_full;
    mod docs;
    mod downsampling;
    mod fuzz;
    mod kill;
    mod lifecycle;
    mod log_clients;
    mod log_fuzz;
    mod mixin;
    mod poison;
    mod prometheus;
    mod rules;
    mod s3;
    mod self_scrape;
    mod starts;
    mod tail;
}
