//! The one thread that writes to the folder of the cache and removes from it.

use super::{
    Shared,
    record::Part,
    scan::{MAGIC, scan, segment_path},
};
use bytes::Bytes;
use std::{
    fs::{self, File},
    io,
    path::PathBuf,
    sync::{Arc, atomic::Ordering::Relaxed, mpsc::Receiver},
};

pub(super) enum Job {
    /// `data` is what the object has from `offset` on.
    Keep { key: u64, object: Arc<str>, offset: u64, data: Bytes },
    #[cfg(test)]
    Settled(std::sync::mpsc::SyncSender<()>),
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    folder: PathBuf,
    /// Of the next segment.
    number: u32,
    /// Nothing more is to be written to the last segment.
    ended: bool,
    record: Vec<u8>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, folder: PathBuf) -> Self {
        Self { shared, folder, number: 0, ended: false, record: Vec::new() }
    }

    pub(super) fn run(mut self, jobs: Receiver<Job>) {
        match scan(&self.shared, &self.folder).and_then(|number| {
            self.number = number;
            self.make_room(0)
        }) {
            Ok(()) => {}
            Err(error) => {
                self.shared.metrics.errors.inc();
                let folder = self.folder.display();
                tracing::warn!(%folder, %error, "the cache on disk could not be opened; it is off");
                return;
            }
        }
        for job in jobs {
            match job {
                Job::Keep { key, object, offset, data } => {
                    if !self.shared.paused(&self.shared.no_writes)
                        && let Err(error) = self.keep(key, &object, offset, &data)
                    {
                        // What may lie behind the last whole record there is not to be written over.
                        self.ended = true;
                        self.shared.broken(&self.shared.no_writes, "written", &error);
                    }
                    self.shared.queued_bytes.fetch_sub(data.len(), Relaxed);
                    self.shared.index.lock().release(key);
                }
                #[cfg(test)]
                Job::Settled(done) => drop(done.send(())),
            }
        }
    }

    fn keep(&mut self, key: u64, object: &str, offset: u64, data: &[u8]) -> io::Result<()> {
        self.record.clear();
        Part { object, offset, len: data.len() as u32 }.encode(data, &mut self.record);
        let len = self.record.len() as u64;
        self.make_room(len + MAGIC.len() as u64)?;
        let (file, end) = self.segment(len)?;
        self.write(&file, end)?;
        // Records are far smaller than 4 GiB: a segment is.
        self.shared.index.lock().append(key, len as u32);
        self.show_size();
        Ok(())
    }

    /// Writes the record, or leaves the file as it was.
    fn write(&self, file: &File, end: u64) -> io::Result<()> {
        let written = self.shared.io.write_at(file, &self.record, end);
        if written.is_err() {
            file.set_len(end)?;
        }
        written
    }

    /// The segment that has room for `len` bytes, and where it ends.
    fn segment(&mut self, len: u64) -> io::Result<(Arc<File>, u64)> {
        let last = self.shared.index.lock().last();
        if let Some((_, file, end)) = last.filter(|(_, _, end)| end + len <= self.shared.segment_bytes())
            && !self.ended
        {
            return Ok((file, end));
        }
        let path = segment_path(&self.folder, self.number);
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        self.number = self.number.checked_add(1).ok_or(io::ErrorKind::InvalidData)?;
        if let Err(error) = self.shared.io.write_at(&file, MAGIC, 0) {
            fs::remove_file(&path)?;
            return Err(error);
        }
        let (file, end) = (Arc::new(file), MAGIC.len() as u64);
        self.shared.index.lock().begin(self.number - 1, Arc::clone(&file), end);
        self.ended = false;
        Ok((file, end))
    }

    /// Removes segments until `len` more bytes are within the bound.
    fn make_room(&mut self, len: u64) -> io::Result<()> {
        loop {
            let (bytes, oldest) = {
                let index = self.shared.index.lock();
                (index.bytes(), index.oldest())
            };
            let Some(number) = oldest.filter(|_| bytes + len > self.shared.capacity) else { break };
            match fs::remove_file(segment_path(&self.folder, number)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => self.shared.metrics.evictions.inc_by(self.shared.index.lock().drop_oldest()),
            };
        }
        self.show_size();
        Ok(())
    }

    fn show_size(&self) {
        self.shared.metrics.bytes.set(self.shared.index.lock().bytes() as i64);
    }
}
