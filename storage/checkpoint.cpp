#include "storage/checkpoint.hpp"

#include "storage/bytes.hpp"
#include "storage/keys.hpp"
#include "storage/record.hpp"
#include "storage/rocks.hpp"

#include <rocksdb/env.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_writer.h>
#include <xxhash.h>

#include <array>
#include <optional>
#include <utility>
#include <vector>

namespace troupe::storage {

namespace {

enum class family : std::uint8_t { log, derived };

/// How many tries of an installation are made before the tables in memory are written out once more.
constexpr std::uint32_t tries_a_flush = 20;

void put_row(std::string& out, family of, std::string_view key, std::string_view value) {
    put_fixed(out, of);
    put_text(out, key);
    put_text(out, value);
}

void count(checkpoint_sum& sum, std::uint64_t rows, std::string_view piece) {
    sum.rows += rows;
    sum.hash = XXH64(piece.data(), piece.size(), sum.hash);
}

problem malformed(std::string_view what) {
    return {code::invalid_request, "a checkpoint cannot be installed: " + std::string(what)};
}

std::string folder_of(const store& s) { return (s.directory() / "incoming").string(); }

} // namespace

void put_head(std::string& out, const checkpoint_head& head) {
    put_varint(out, head.shard);
    put_varint(out, head.at.seq);
    put_varint(out, head.at.epoch);
    out += encode_epochs(head.log.promise, head.log.base, head.log.runs);
}

expected<checkpoint_head> read_head(std::string_view bytes) {
    byte_reader in(bytes);
    checkpoint_head head;
    const auto shard = in.varint();
    head.shard = static_cast<std::uint32_t>(shard);
    head.at.seq = in.varint();
    head.at.epoch = in.varint();
    auto row = decode_epochs(in.rest());
    const auto outline = row && in.ok() && shard < shards_max ? outline_of(*row, head.at.seq) : std::nullopt;
    if (!outline || outline->last() != head.at || head.at.seq == 0 || row->promise < head.at.epoch) {
        return malformed("its head cannot be");
    }
    head.log = std::move(*row);
    return head;
}

// ---- taking one

struct checkpoint_source::impl {
    impl(const store& s, checkpoint_head h) : from(s), head(std::move(h)), snapshot(s.db().db->GetSnapshot()) {
        begin(family::log, keys::log(head.shard, head.log.base.at.seq + 1), keys::log(head.shard, head.at.seq + 1));
    }
    impl(const impl&) = delete;
    ~impl() {
        rows.reset();
        from.db().db->ReleaseSnapshot(snapshot);
    }

    void begin(family f, std::string first, std::string after) {
        current = f;
        end = std::move(after);
        upper = end;
        rocksdb::ReadOptions options;
        options.snapshot = snapshot;
        options.total_order_seek = true;
        options.fill_cache = false;
        options.iterate_upper_bound = &upper;
        rows.reset(from.db().db->NewIterator(options, f == family::log ? from.db().log : from.db().derived));
        rows->Seek(first);
    }

    /// To the next row that belongs to it. False: there is none.
    bool find() {
        const auto first = keys::log_begin(head.shard);
        if (!rows->Valid() && rows->status().ok() && current == family::log) {
            begin(family::derived, first, keys::after_prefix(first));
        }
        while (current == family::derived && rows->Valid() &&
               !keys::is_shared(head.shard, rows->key().ToStringView())) {
            rows->Seek(keys::after_prefix(rows->key().ToString().substr(0, first.size() + 1))); // beyond the table
        }
        return rows->Valid();
    }

    const store& from;
    checkpoint_head head;
    const rocksdb::Snapshot* snapshot;
    std::unique_ptr<rocksdb::Iterator> rows;
    family current = family::log;
    std::string end;
    rocksdb::Slice upper;
    checkpoint_sum sum;
};

checkpoint_source::checkpoint_source(const store& s, checkpoint_head head)
    : impl_(std::make_unique<impl>(s, std::move(head))) {}
checkpoint_source::~checkpoint_source() = default;
checkpoint_source::checkpoint_source(checkpoint_source&&) noexcept = default;
checkpoint_source& checkpoint_source::operator=(checkpoint_source&&) noexcept = default;

const checkpoint_head& checkpoint_source::head() const { return impl_->head; }
const checkpoint_sum& checkpoint_source::sum() const { return impl_->sum; }

expected<std::string> checkpoint_source::next(std::size_t bytes) {
    auto& me = *impl_;
    std::string piece;
    std::uint64_t rows = 0;
    for (; piece.size() < bytes && me.find(); me.rows->Next(), ++rows) {
        put_row(piece, me.current, me.rows->key().ToStringView(), me.rows->value().ToStringView());
    }
    if (!me.rows->status().ok()) {
        return to_problem(me.rows->status(), "cannot read shard " + std::to_string(me.head.shard));
    }
    if (rows > 0) {
        count(me.sum, rows, piece);
    }
    return piece;
}

// ---- putting one in the place of what is there

struct checkpoint_staging::impl {
    /// Rows of one family, in their order.
    struct file {
        file(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* of, std::string path)
            : into(of),
              options(db.GetOptions(of)),
              name(std::move(path)),
              writer(rocksdb::EnvOptions(options), options, of) {}
        rocksdb::ColumnFamilyHandle* into;
        rocksdb::Options options;
        std::string name;
        rocksdb::SstFileWriter writer;
        std::string last; ///< Key.
    };

    impl(store& s, checkpoint_head h, const std::string& stem)
        : to(s),
          head(std::move(h)),
          outline(*outline_of(head.log, head.at.seq)),
          next_seq(outline.base().seq + 1),
          log(*s.db().db, s.db().log, stem + "-log.sst"),
          derived(*s.db().db, s.db().derived, stem + "-derived.sst") {
        std::string mark;
        put_big_endian(mark, head.at.seq);
        own.emplace_back(keys::shard_table(head.shard, keys::table::applied), std::move(mark));
        own.emplace_back(keys::shard_table(head.shard, keys::table::epochs),
                         encode_epochs(head.log.promise, head.log.base, head.log.runs));
    }
    impl(const impl&) = delete;
    ~impl() {
        for (const auto* f : {&log, &derived}) {
            static_cast<void>(to.db().db->GetEnv()->DeleteFile(f->name)); // if it is there
        }
    }

    /// Each begins with the deletion of all that is there.
    expected<void> begin() {
        const auto first = keys::log_begin(head.shard);
        for (auto* f : {&log, &derived}) {
            auto status = f->writer.Open(f->name);
            if (status.ok()) {
                status = f->writer.DeleteRange(first, keys::after_prefix(first));
            }
            if (!status.ok()) {
                return to_problem(status, "cannot keep a checkpoint");
            }
        }
        return {};
    }

    static expected<void> put(file& into, std::string_view key, std::string_view value) {
        const auto status = into.writer.Put({key.data(), key.size()}, {value.data(), value.size()});
        into.last = key;
        return status.ok() ? expected<void>() : expected<void>(to_problem(status, "cannot keep a checkpoint"));
    }

    /// The rows of this replica that stand before the key.
    expected<void> put_own(std::string_view before) {
        while (own_put < own.size() && (before.empty() || own[own_put].first < before)) {
            const auto& [key, value] = own[own_put++];
            if (auto done = put(derived, key, value); !done) {
                return done;
            }
        }
        return {};
    }

    expected<void> add_record(std::string_view key, std::string_view value) {
        if (next_seq > head.at.seq || key != keys::log(head.shard, next_seq)) {
            return malformed("a record is missing");
        }
        const auto r = decode_record(head.shard, next_seq, value);
        if (!r || r->epoch != outline.epoch_at(next_seq)) {
            return malformed(r ? "a record of another epoch" : r.error().detail);
        }
        ++next_seq;
        return put(log, key, value);
    }

    expected<void> add_row(std::string_view key, std::string_view value) {
        if (!keys::is_shared(head.shard, key) || key <= derived.last) {
            return malformed("a row that is not of the shard, or not in its order");
        }
        if (auto done = put_own(key); !done) {
            return done;
        }
        return put(derived, key, value);
    }

    store& to;
    checkpoint_head head;
    replication::log_outline outline;
    std::uint64_t next_seq;
    file log;
    file derived;
    std::vector<std::pair<std::string, std::string>> own; ///< What says how far the replica is then.
    std::size_t own_put = 0;
    checkpoint_sum sum;
    std::uint32_t tries = 0;
};

checkpoint_staging::checkpoint_staging(std::unique_ptr<impl> made) : impl_(std::move(made)) {}
checkpoint_staging::~checkpoint_staging() = default;
checkpoint_staging::checkpoint_staging(checkpoint_staging&&) noexcept = default;
checkpoint_staging& checkpoint_staging::operator=(checkpoint_staging&&) noexcept = default;

expected<checkpoint_staging> checkpoint_staging::open(store& s, checkpoint_head head) {
    if (auto space = s.check_space(s.free_bytes_min()); !space) {
        return space.error();
    }
    const auto folder = folder_of(s);
    if (const auto status = s.db().db->GetEnv()->CreateDirIfMissing(folder); !status.ok()) {
        return to_problem(status, "cannot keep a checkpoint");
    }
    const auto stem = folder + "/" + std::to_string(head.shard);
    auto made = std::make_unique<impl>(s, std::move(head), stem);
    if (auto begun = made->begin(); !begun) {
        return begun.error();
    }
    return checkpoint_staging(std::move(made));
}

const checkpoint_head& checkpoint_staging::head() const { return impl_->head; }

expected<void> checkpoint_staging::add(std::string_view piece) {
    byte_reader in(piece);
    std::uint64_t rows = 0;
    for (; !in.rest().empty(); ++rows) {
        const auto of = in.fixed<family>();
        const auto key = in.text();
        const auto value = in.text();
        if (!in.ok() || of > family::derived) {
            return malformed("a piece ends in the middle");
        }
        if (auto done = of == family::log ? impl_->add_record(key, value) : impl_->add_row(key, value); !done) {
            return done;
        }
    }
    count(impl_->sum, rows, piece);
    return {};
}

expected<void> checkpoint_staging::finish(const checkpoint_sum& all) {
    auto& me = *impl_;
    if (me.sum != all || me.next_seq != me.head.at.seq + 1) {
        return malformed("not all of it came");
    }
    if (auto done = me.put_own({}); !done) {
        return done;
    }
    for (auto* f : {&me.log, &me.derived}) {
        if (const auto status = f->writer.Finish(); !status.ok()) {
            return to_problem(status, "cannot keep a checkpoint");
        }
    }
    return {};
}

expected<bool> checkpoint_staging::install() {
    auto& me = *impl_;
    auto& db = me.to.db();
    const std::unique_lock lines(db.audit_mutex, std::try_to_lock);
    if (!lines) {
        return false;
    }
    rocksdb::IngestExternalFileOptions options;
    options.move_files = true;
    options.write_global_seqno = false;
    options.allow_blocking_flush = false; // it would hold up the commits of all shards
    std::vector<rocksdb::IngestExternalFileArg> files(2);
    for (std::size_t i = 0; i < files.size(); ++i) {
        const auto& f = i == 0 ? me.log : me.derived;
        files[i].column_family = f.into;
        files[i].external_files = {f.name};
        files[i].options = options;
    }
    const auto status = db.db->IngestExternalFiles(files);
    if (!status.IsInvalidArgument()) {
        return status.ok() ? expected<bool>(true) : expected<bool>(to_problem(status, "cannot install a checkpoint"));
    }
    // Rows of the shard are in memory still.
    if (me.tries++ % tries_a_flush == 0) {
        rocksdb::FlushOptions flush;
        flush.wait = false;
        flush.allow_write_stall = true;
        if (const auto begun = db.db->Flush(flush, {db.log, db.derived}); !begun.ok()) {
            return to_problem(begun, "cannot install a checkpoint");
        }
    }
    return false;
}

void drop_staged(const store& s) {
    auto* env = s.db().db->GetEnv();
    std::vector<std::string> names;
    if (env->GetChildren(folder_of(s), &names).ok()) {
        for (const auto& name : names) {
            static_cast<void>(env->DeleteFile(folder_of(s) + "/" + name)); // another try at the next start
        }
    }
}

} // namespace troupe::storage
