#include "tests/storage/simulated_env.hpp"

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/system_clock.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace troupe::test {

namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;
using rocksdb::Status;

IOStatus status_of(disk_result r, const std::string& path) {
    switch (r) {
    case disk_result::ok:
        return IOStatus::OK();
    case disk_result::missing:
        return IOStatus::PathNotFound(path);
    case disk_result::full:
        return IOStatus::NoSpace(path, "simulated");
    case disk_result::failed:
        break;
    }
    return IOStatus::IOError(path, "simulated");
}

/// Copies what is there into the reader's buffer.
Slice copy_from(const simulated_disk::file& from, std::uint64_t at, std::size_t bytes, char* into) {
    if (at >= from.data.size()) {
        return {into, 0};
    }
    const auto count = std::min<std::size_t>(bytes, from.data.size() - at);
    std::memcpy(into, from.data.data() + at, count);
    return {into, count};
}

class sequential_file final : public rocksdb::FSSequentialFile {
public:
    explicit sequential_file(simulated_disk::file_ptr what) : what_(std::move(what)) {}

    IOStatus Read(std::size_t bytes, const IOOptions&, Slice* result, char* scratch, IODebugContext*) override {
        *result = copy_from(*what_, at_, bytes, scratch);
        at_ += result->size();
        return IOStatus::OK();
    }
    IOStatus Skip(std::uint64_t bytes) override {
        at_ += bytes;
        return IOStatus::OK();
    }

private:
    simulated_disk::file_ptr what_;
    std::uint64_t at_ = 0;
};

class random_access_file final : public rocksdb::FSRandomAccessFile {
public:
    explicit random_access_file(simulated_disk::file_ptr what) : what_(std::move(what)) {}

    IOStatus Read(std::uint64_t at, std::size_t bytes, const IOOptions&, Slice* result, char* scratch,
                  IODebugContext*) const override {
        *result = copy_from(*what_, at, bytes, scratch);
        return IOStatus::OK();
    }

private:
    simulated_disk::file_ptr what_;
};

class writable_file final : public rocksdb::FSWritableFile {
public:
    writable_file(simulated_disk& disk, std::string path, simulated_disk::file_ptr what)
        : disk_(disk), path_(std::move(path)), what_(std::move(what)) {}

    using rocksdb::FSWritableFile::Append;
    IOStatus Append(const Slice& data, const IOOptions&, IODebugContext*) override {
        return status_of(disk_.append(path_, what_, data.ToStringView()), path_);
    }
    IOStatus Truncate(std::uint64_t bytes, const IOOptions&, IODebugContext*) override {
        what_->data.resize(bytes);
        return IOStatus::OK();
    }
    IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
    IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
    IOStatus Sync(const IOOptions&, IODebugContext*) override { return status_of(disk_.sync(path_, what_), path_); }
    [[nodiscard]] bool IsSyncThreadSafe() const override { return true; } // as files of the machine
    std::uint64_t GetFileSize(const IOOptions&, IODebugContext*) override { return what_->data.size(); }

private:
    simulated_disk& disk_;
    std::string path_;
    simulated_disk::file_ptr what_;
};

class folder final : public rocksdb::FSDirectory {
public:
    folder(simulated_disk& disk, std::string path) : disk_(disk), path_(std::move(path)) {}
    IOStatus Fsync(const IOOptions&, IODebugContext*) override { return status_of(disk_.sync_folder(path_), path_); }
    IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

private:
    simulated_disk& disk_;
    std::string path_;
};

struct lock final : rocksdb::FileLock {
    explicit lock(std::string name) : path(std::move(name)) {}
    std::string path;
};

class no_log final : public rocksdb::Logger {
public:
    using rocksdb::Logger::Logv;
    void Logv(const char*, va_list) override {}
};

class file_system final : public rocksdb::FileSystem {
public:
    file_system(simulated_disk& disk, const std::atomic<std::int64_t>& now_ms) : disk_(disk), now_ms_(now_ms) {}
    [[nodiscard]] const char* Name() const override { return "simulated"; }

    IOStatus NewSequentialFile(const std::string& path, const FileOptions&,
                               std::unique_ptr<rocksdb::FSSequentialFile>* out, IODebugContext*) override {
        return opened<sequential_file>(path, *out);
    }
    IOStatus NewRandomAccessFile(const std::string& path, const FileOptions&,
                                 std::unique_ptr<rocksdb::FSRandomAccessFile>* out, IODebugContext*) override {
        return opened<random_access_file>(path, *out);
    }
    IOStatus NewWritableFile(const std::string& path, const FileOptions&, std::unique_ptr<rocksdb::FSWritableFile>* out,
                             IODebugContext*) override {
        simulated_disk::file_ptr what;
        const auto made = disk_.create(plain(path), what);
        if (made == disk_result::ok) {
            *out = std::make_unique<writable_file>(disk_, plain(path), std::move(what));
        }
        return status_of(made, path);
    }
    IOStatus ReopenWritableFile(const std::string& path, const FileOptions& options,
                                std::unique_ptr<rocksdb::FSWritableFile>* out, IODebugContext* debug) override {
        auto what = disk_.find(plain(path));
        if (!what) {
            return NewWritableFile(path, options, out, debug);
        }
        *out = std::make_unique<writable_file>(disk_, plain(path), std::move(what));
        return IOStatus::OK();
    }
    IOStatus NewDirectory(const std::string& path, const IOOptions&, std::unique_ptr<rocksdb::FSDirectory>* out,
                          IODebugContext*) override {
        if (!disk_.has_folder(plain(path))) {
            return IOStatus::PathNotFound(path);
        }
        *out = std::make_unique<folder>(disk_, plain(path));
        return IOStatus::OK();
    }
    IOStatus FileExists(const std::string& path, const IOOptions&, IODebugContext*) override {
        return disk_.find(plain(path)) || disk_.has_folder(plain(path)) ? IOStatus::OK() : IOStatus::NotFound(path);
    }
    IOStatus GetChildren(const std::string& path, const IOOptions&, std::vector<std::string>* out,
                         IODebugContext*) override {
        if (!disk_.has_folder(plain(path))) {
            return IOStatus::PathNotFound(path);
        }
        *out = disk_.names_in(plain(path));
        return IOStatus::OK();
    }
    IOStatus DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) override {
        return status_of(disk_.remove(plain(path)), path);
    }
    IOStatus Truncate(const std::string& path, std::size_t bytes, const IOOptions&, IODebugContext*) override {
        return status_of(disk_.truncate(plain(path), bytes), path);
    }
    IOStatus CreateDir(const std::string& path, const IOOptions&, IODebugContext*) override {
        disk_.add_folder(plain(path));
        return IOStatus::OK();
    }
    IOStatus CreateDirIfMissing(const std::string& path, const IOOptions& options, IODebugContext* debug) override {
        return CreateDir(path, options, debug);
    }
    IOStatus DeleteDir(const std::string& path, const IOOptions&, IODebugContext*) override {
        return IOStatus::NotSupported(path);
    }
    IOStatus GetFileSize(const std::string& path, const IOOptions&, std::uint64_t* out, IODebugContext*) override {
        const auto what = disk_.find(plain(path));
        *out = what ? what->data.size() : 0;
        return what ? IOStatus::OK() : IOStatus::PathNotFound(path);
    }
    IOStatus GetFileModificationTime(const std::string&, const IOOptions&, std::uint64_t* out,
                                     IODebugContext*) override {
        *out = static_cast<std::uint64_t>(now_ms_ / 1000);
        return IOStatus::OK();
    }
    IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions&, IODebugContext*) override {
        return status_of(disk_.rename(plain(from), plain(to)), to);
    }
    IOStatus LockFile(const std::string& path, const IOOptions&, rocksdb::FileLock** out, IODebugContext*) override {
        if (!locks_.insert(path).second) {
            return IOStatus::IOError("lock " + path, "held");
        }
        *out = new lock(path); // RocksDB's interface: given back in UnlockFile
        return IOStatus::OK();
    }
    IOStatus UnlockFile(rocksdb::FileLock* held, const IOOptions&, IODebugContext*) override {
        const std::unique_ptr<lock> mine(static_cast<lock*>(held));
        locks_.erase(mine->path);
        return IOStatus::OK();
    }
    IOStatus GetTestDirectory(const IOOptions&, std::string*, IODebugContext*) override {
        return IOStatus::NotSupported("test directory");
    }
    IOStatus NewLogger(const std::string&, const IOOptions&, std::shared_ptr<rocksdb::Logger>* out,
                       IODebugContext*) override {
        *out = std::make_shared<no_log>();
        return IOStatus::OK();
    }
    IOStatus GetAbsolutePath(const std::string& path, const IOOptions&, std::string* out, IODebugContext*) override {
        *out = path;
        return IOStatus::OK();
    }
    IOStatus GetFreeSpace(const std::string&, const IOOptions&, std::uint64_t* out, IODebugContext*) override {
        *out = disk_.free_bytes();
        return IOStatus::OK();
    }
    IOStatus IsDirectory(const std::string& path, const IOOptions&, bool* out, IODebugContext*) override {
        *out = disk_.has_folder(plain(path));
        return IOStatus::OK();
    }

private:
    /// RocksDB writes "db//000004.log" here and there.
    static std::string plain(const std::string& path) {
        std::string out;
        for (const char c : path) {
            if (c != '/' || out.empty() || out.back() != '/') {
                out += c;
            }
        }
        while (out.size() > 1 && out.back() == '/') {
            out.pop_back();
        }
        return out;
    }

    template <class File, class Out>
    IOStatus opened(const std::string& path, std::unique_ptr<Out>& out) {
        simulated_disk::file_ptr what;
        const auto found = disk_.open(plain(path), what);
        if (found == disk_result::ok) {
            out = std::make_unique<File>(std::move(what));
        }
        return status_of(found, path);
    }

    simulated_disk& disk_;
    const std::atomic<std::int64_t>& now_ms_;
    std::set<std::string> locks_;
};

class virtual_clock final : public rocksdb::SystemClock {
public:
    explicit virtual_clock(const std::atomic<std::int64_t>& now_ms) : now_ms_(now_ms) {}
    [[nodiscard]] const char* Name() const override { return "virtual"; }
    std::uint64_t NowMicros() override { return static_cast<std::uint64_t>(now_ms_) * 1000; }
    void SleepForMicroseconds(int) override {} // whoever waits finds that no time has passed
    Status GetCurrentTime(std::int64_t* seconds) override {
        *seconds = now_ms_ / 1000;
        return Status::OK();
    }
    std::string TimeToString(std::uint64_t seconds) override { return std::to_string(seconds); }

private:
    const std::atomic<std::int64_t>& now_ms_;
};

class job_env final : public rocksdb::EnvWrapper {
public:
    job_env(std::unique_ptr<rocksdb::Env>&& files, const std::atomic<std::int64_t>& now_ms)
        : rocksdb::EnvWrapper(std::move(files)) {
        system_clock_ = std::make_shared<virtual_clock>(now_ms);
    }
    [[nodiscard]] const char* Name() const override { return "simulated"; }

    void Schedule(void (*function)(void*), void* argument, Priority priority, void* tag,
                  void (*unscheduled)(void*)) override {
        jobs_.push_back({function, argument, priority, tag, unscheduled});
    }
    int UnSchedule(void* tag, Priority priority) override {
        std::vector<job> dropped;
        std::erase_if(jobs_, [&](const job& j) {
            const bool drop = j.tag == tag && j.priority == priority;
            if (drop) {
                dropped.push_back(j);
            }
            return drop;
        });
        for (const auto& j : dropped) {
            if (j.unscheduled) {
                j.unscheduled(j.argument);
            }
        }
        return static_cast<int>(dropped.size());
    }
    void StartThread(void (*)(void*), void*) override {
        std::fputs("RocksDB wants a thread, which a simulation has not\n", stderr);
        std::abort();
    }
    void WaitForJoin() override {}
    int ReserveThreads(int, Priority) override { return 0; }
    int ReleaseThreads(int, Priority) override { return 0; }
    [[nodiscard]] unsigned GetThreadPoolQueueLen(Priority) const override { return 0; }
    void SetBackgroundThreads(int, Priority) override {}
    int GetBackgroundThreads(Priority priority) override { return priority == HIGH || priority == LOW ? 1 : 0; }
    void IncBackgroundThreadsIfNeeded(int, Priority) override {}
    std::uint64_t NowMicros() override { return system_clock_->NowMicros(); }
    std::uint64_t NowNanos() override { return system_clock_->NowNanos(); }
    void SleepForMicroseconds(int) override {}
    Status GetCurrentTime(std::int64_t* seconds) override { return system_clock_->GetCurrentTime(seconds); }
    Status GetHostName(char* name, std::uint64_t bytes) override {
        std::snprintf(name, bytes, "simulated");
        return Status::OK();
    }

    struct job {
        void (*function)(void*);
        void* argument;
        Priority priority;
        void* tag;
        void (*unscheduled)(void*);
    };
    std::deque<job> jobs_;
};

} // namespace

struct simulated_env::impl {
    impl(simulated_disk& disk, const std::atomic<std::int64_t>& now_ms)
        : env(rocksdb::NewCompositeEnv(std::make_shared<file_system>(disk, now_ms)), now_ms) {}
    job_env env;
};

simulated_env::simulated_env(simulated_disk& disk, const std::atomic<std::int64_t>& now_ms)
    : impl_(std::make_unique<impl>(disk, now_ms)) {}
simulated_env::~simulated_env() = default;

rocksdb::Env* simulated_env::env() const { return &impl_->env; }
std::size_t simulated_env::jobs() const { return impl_->env.jobs_.size(); }

void simulated_env::run_job(std::size_t which) {
    auto& jobs = impl_->env.jobs_;
    const auto job = jobs.at(which);
    jobs.erase(jobs.begin() + static_cast<std::ptrdiff_t>(which));
    job.function(job.argument);
}

} // namespace troupe::test
