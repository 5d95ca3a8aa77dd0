#include "storage/audit.hpp"

#include "storage/audit_chain.hpp"
#include "storage/bytes.hpp"
#include "storage/keys.hpp"
#include "storage/log_reader.hpp"
#include "storage/record.hpp"
#include "storage/rocks.hpp"
#include "storage/sealing.hpp"
#include "storage/views.hpp"

#include <rocksdb/write_batch.h>

#include <algorithm>
#include <queue>

namespace troupe::storage {

namespace {

constexpr std::uint8_t line_format = 1;
constexpr std::size_t place_bytes = 32;     ///< organization, time, seq: the key without shard and table
constexpr std::size_t key_place_bytes = 16; ///< time, seq
constexpr std::size_t key_bytes = 3 + place_bytes;

using heads_by_organization = std::map<uuid, audit_head>;

std::string_view text_of(const audit_digest& d) { return {reinterpret_cast<const char*>(d.data()), d.size()}; }

audit_digest digest_in(byte_reader& in) {
    audit_digest out{};
    const auto read = in.bytes(out.size());
    std::copy(read.begin(), read.end(), out.begin());
    return out;
}

std::string key_of(const audit_line& line) { return keys::audit(line.shard, line.organization, line.time, line.seq); }

problem unreadable(std::uint32_t shard) {
    return {code::journal_damaged, "a line of the audit log in shard " + std::to_string(shard) +
                                       " cannot be read; ask `troupe audit verify` for all that is damaged"};
}

/// For whoever reads: what it says of the client is opened.
std::optional<audit_line> opened_line(const store& s, std::uint32_t shard, std::string_view key,
                                      std::string_view value) {
    auto line = decode_audit_line(shard, key, value);
    if (line) {
        line->client = open_client(s, line->client);
    }
    return line;
}

std::optional<audit_line> line_at(std::uint32_t shard, const prefix_scan& scan) {
    return decode_audit_line(shard, scan.key(), scan.value());
}

/// The end of an organization's chain in a shard; number 0: it has none.
expected<audit_head> read_head(const store& s, std::uint32_t shard, const uuid& organization) {
    audit_head out{organization, shard, 0, {}};
    prefix_scan scan(*s.db().db, s.db().derived, keys::audit_prefix(shard, organization), "\xff");
    scan.seek_last();
    if (!scan.status().ok()) {
        return to_problem(scan.status(), "cannot read the audit log");
    }
    if (scan.valid()) {
        const auto line = line_at(shard, scan);
        if (!line) {
            return unreadable(shard);
        }
        out.number = line->number;
        out.chain = line->chain;
    }
    return out;
}

/// Makes lines of records in the order of a shard's log.
class line_writer {
public:
    line_writer(store& s, std::uint32_t shard, const audit_mark& from) : store_(s), shard_(shard), mark_(from) {}

    expected<void> add(record&& r, std::string_view bytes) {
        mark_.seq = r.seq;
        if (r.entity_seq == 0) { // the start of an epoch, which is nobody's
            return {};
        }
        mark_.time = std::max(mark_.time, r.time);
        const auto organization = audited_organization(r);
        auto known = heads_.find(organization);
        if (known == heads_.end()) {
            const auto read = read_head(store_, shard_, organization);
            if (!read) {
                return read.error();
            }
            known = heads_.emplace(organization, *read).first;
        }
        auto& head = known->second;
        audit_line line{organization,
                        shard_,
                        r.seq,
                        mark_.time,
                        head.number + 1,
                        std::move(r.entity),
                        r.entity_seq,
                        std::move(r.type),
                        std::move(r.principal),
                        std::move(r.cause),
                        std::move(r.correlation),
                        std::move(r.client),
                        sha256(bytes),
                        {}};
        const auto key = key_of(line);
        line.chain = next_in_chain(head.chain, key, encode_audit_line(line));
        head.chain = line.chain;
        head.number = line.number;
        batch_.Put(store_.db().derived, key, encode_audit_line(line));
        return {};
    }

    expected<void> write() {
        batch_.Put(store_.db().derived, keys::shard_table(shard_, keys::table::audited), encode_audit_mark(mark_));
        const auto status = store_.db().db->Write({}, &batch_); // the next fsync of the log makes it durable, too
        return status.ok() ? expected<void>() : expected<void>(to_problem(status, "cannot write the audit log"));
    }

private:
    store& store_;
    std::uint32_t shard_;
    audit_mark mark_;
    heads_by_organization heads_;
    rocksdb::WriteBatch batch_;
};

/// What a cursor and the heap order by: time, seq, shard.
std::string place_of(std::string_view rest, std::uint32_t shard) {
    std::string out(rest);
    put_big_endian(out, static_cast<std::uint16_t>(shard));
    return out;
}

} // namespace

audit_digest next_in_chain(const audit_digest& before, std::string_view key, std::string_view value) {
    std::string all(text_of(before));
    all += key;
    all += value.substr(0, value.size() - std::min(value.size(), before.size()));
    return sha256(all);
}

uuid audited_organization(const record& r) {
    const bool acted_elsewhere = r.entity.organization == system_organization && !r.client.organization.is_nil();
    return acted_elsewhere ? r.client.organization : r.entity.organization;
}

std::string encode_audit_line(const audit_line& line) {
    std::string out;
    put_fixed(out, line_format);
    put_varint(out, line.number);
    put_uuid(out, line.entity.organization);
    put_uuid(out, line.entity.id);
    put_text(out, line.entity.kind);
    put_varint(out, line.entity_seq);
    put_text(out, line.type);
    put_text(out, line.principal);
    put_text(out, line.cause);
    put_text(out, line.correlation);
    put_text(out, line.client.address);
    put_text(out, line.client.program);
    put_uuid(out, line.client.organization);
    out += text_of(line.record);
    out += text_of(line.chain);
    return out;
}

std::optional<audit_line> decode_audit_line(std::uint32_t shard, std::string_view key, std::string_view value) {
    byte_reader in(value);
    if (key.size() != key_bytes || in.fixed<std::uint8_t>() != line_format) {
        return std::nullopt;
    }
    audit_line out;
    out.shard = shard;
    byte_reader place(key.substr(key.size() - place_bytes));
    out.organization = place.id();
    out.time.ms = static_cast<std::int64_t>(get_big_endian<std::uint64_t>(place.bytes(8)));
    out.seq = get_big_endian<std::uint64_t>(place.bytes(8));
    out.number = in.varint();
    out.entity.organization = in.id();
    out.entity.id = in.id();
    out.entity.kind = in.text();
    out.entity_seq = in.varint();
    out.type = in.text();
    out.principal = in.text();
    out.cause = in.text();
    out.correlation = in.text();
    out.client.address = in.text();
    out.client.program = in.text();
    out.client.organization = in.id();
    out.record = digest_in(in);
    out.chain = digest_in(in);
    return in.at_end() ? std::optional(std::move(out)) : std::nullopt;
}

std::string encode_audit_mark(const audit_mark& mark) {
    std::string out;
    put_big_endian(out, mark.seq);
    put_big_endian(out, static_cast<std::uint64_t>(mark.time.ms));
    return out;
}

expected<audit_mark> read_audit_mark(const store& s, std::uint32_t shard) {
    std::string value;
    const auto status = s.db().db->Get({}, s.db().derived, keys::shard_table(shard, keys::table::audited), &value);
    if (status.IsNotFound()) {
        return audit_mark{};
    }
    if (!status.ok() || value.size() != 16) {
        return status.ok() ? unreadable(shard) : to_problem(status, "cannot read the audit log");
    }
    return audit_mark{get_big_endian<std::uint64_t>(value),
                      {static_cast<std::int64_t>(get_big_endian<std::uint64_t>(std::string_view(value).substr(8)))}};
}

expected<std::size_t> write_audit_lines(store& s, std::uint32_t shard, std::size_t records_max) {
    const std::lock_guard one_step(s.db().audit_mutex); // a checkpoint brings lines, too
    auto mark = read_audit_mark(s, shard);
    const auto base = mark ? read_log_base(s, shard) : expected<log_base>(mark.error());
    if (!base) {
        return base.error();
    }
    mark->seq = std::max(mark->seq, base->at.seq); // what an older version trimmed has no lines
    line_writer lines(s, shard, *mark);
    std::size_t count = 0;
    expected<void> added;
    const auto read = read_log_bytes(s, shard, mark->seq, [&](record&& r, std::string_view bytes) {
        added = lines.add(std::move(r), bytes);
        return added.has_value() && ++count < records_max;
    });
    if (!read || !added) {
        return read ? added.error() : read.error();
    }
    const auto written = count > 0 ? lines.write() : expected<void>();
    return written ? expected<std::size_t>(count) : expected<std::size_t>(written.error());
}

namespace {

/// The lines of an organization in all shards by time, with one iterator.
class merged_lines {
public:
    merged_lines(const store& s, const audit_query& query) : store_(s), query_(query) {}

    void start(const std::string& after) {
        std::string bound = after;
        if (bound.empty() && (query_.descending ? query_.until : query_.from)) {
            const auto at = query_.descending ? *query_.until : *query_.from;
            put_big_endian(bound, static_cast<std::uint64_t>(std::max<std::int64_t>(at.ms, 0)));
        }
        for (std::uint32_t shard = 0; shard < store_.who().shards; ++shard) {
            advance(shard, bound);
        }
    }

    expected<std::optional<audit_line>> next() {
        if (heap_.empty() || !failed_.ok()) {
            return failed_.ok() ? expected<std::optional<audit_line>>(std::nullopt)
                                : to_problem(failed_, "cannot read the audit log");
        }
        auto top = heap_.top();
        heap_.pop();
        last_ = top.place;
        auto line = opened_line(store_, top.shard, top.key, top.value);
        advance(top.shard, top.place);
        return line ? expected<std::optional<audit_line>>(std::move(line)) : unreadable(top.shard);
    }
    [[nodiscard]] const std::string& last() const { return last_; }
    [[nodiscard]] bool at_end() const { return heap_.empty(); }

private:
    struct found {
        std::string place;
        std::uint32_t shard;
        std::string key;
        std::string value;
    };
    struct later {
        bool descending;
        bool operator()(const found& a, const found& b) const {
            return descending ? a.place < b.place : a.place > b.place;
        }
    };

    /// Pushes the first line of the shard beyond `bound`: a place, or the time of one. A scan for each, so that none
    /// walks over what lies beside the lines.
    void advance(std::uint32_t shard, const std::string& bound) {
        prefix_scan scan(*store_.db().db, store_.db().derived, keys::audit_prefix(shard, query_.organization));
        const auto place = [&] { return place_of(scan.rest(), shard); };
        if (query_.descending) {
            bound.empty() ? scan.seek_last() : scan.seek_before(bound);
            while (scan.valid() && !bound.empty() && place() >= bound) {
                scan.previous();
            }
        } else {
            scan.seek(bound.substr(0, key_place_bytes)); // the shard is no part of a key
            while (scan.valid() && bound.size() > key_place_bytes && place() <= bound) {
                scan.next();
            }
        }
        if (!scan.status().ok() && failed_.ok()) {
            failed_ = scan.status();
        }
        if (scan.valid() && is_in_time(scan.rest())) {
            heap_.push({place(), shard, std::string(scan.key()), std::string(scan.value())});
        }
    }

    [[nodiscard]] bool is_in_time(std::string_view rest) const {
        const timestamp at{static_cast<std::int64_t>(get_big_endian<std::uint64_t>(rest))};
        return query_.descending ? !query_.from || at >= *query_.from : !query_.until || at < *query_.until;
    }

    const store& store_;
    const audit_query& query_;
    rocksdb::Status failed_;
    std::string last_;
    std::priority_queue<found, std::vector<found>, later> heap_{later{query_.descending}};
};

constexpr std::string_view cursor_tag = "audit";

} // namespace

expected<audit_page> read_audit(const store& s, const audit_query& query) {
    std::string after;
    if (!query.cursor.empty()) {
        const auto place = decode_cursor(query.cursor);
        if (!place || !place->starts_with(cursor_tag) || place->size() != cursor_tag.size() + 18) {
            return problem{
                code::invalid_request,
                "the cursor cannot be read; take `next_cursor` of the page before as it is, or start without one",
                {{"cursor", "is not a cursor of this list"}}};
        }
        after = place->substr(cursor_tag.size());
    }
    merged_lines lines(s, query);
    lines.start(after);
    audit_page page;
    for (std::size_t scanned = 0; page.lines.size() < query.limit && scanned < scanned_max; ++scanned) {
        auto line = lines.next();
        if (!line) {
            return line.error();
        }
        if (!*line) {
            break;
        }
        if (!query.keep || query.keep(**line)) {
            page.lines.push_back(std::move(**line));
        }
    }
    if (!lines.at_end() && !lines.last().empty()) {
        page.next_cursor = encode_cursor(std::string(cursor_tag) + lines.last());
    }
    return page;
}

expected<std::optional<audit_line>> read_audit_line(const store& s, std::uint32_t shard, const uuid& organization,
                                                    timestamp time, std::uint64_t seq) {
    const auto key = keys::audit(shard, organization, time, seq);
    std::string value;
    const auto status = s.db().db->Get({}, s.db().derived, key, &value);
    if (!status.ok()) {
        return status.IsNotFound() ? expected<std::optional<audit_line>>(std::nullopt)
                                   : to_problem(status, "cannot read the audit log");
    }
    auto line = opened_line(s, shard, key, value);
    return line ? expected<std::optional<audit_line>>(std::move(line)) : unreadable(shard);
}

expected<std::vector<audit_line>> read_audit_after(const store& s, std::uint32_t shard, const audit_mark& after,
                                                   std::size_t limit) {
    std::vector<audit_line> out;
    prefix_scan scan(*s.db().db, s.db().derived, keys::shard_table(shard, keys::table::audit));
    std::string from;
    put_big_endian(from, static_cast<std::uint64_t>(after.time.ms));
    put_big_endian(from, after.seq + 1);
    while (scan.valid()) {
        const std::string organization(scan.rest().substr(0, 16));
        scan.seek(organization + from);
        for (std::size_t count = 0; scan.valid() && scan.rest().starts_with(organization) && count < limit;
             scan.next(), ++count) {
            auto line = opened_line(s, shard, scan.key(), scan.value());
            if (!line) {
                return unreadable(shard);
            }
            out.push_back(std::move(*line));
        }
        if (out.size() > limit) { // the first ones of all that were seen so far
            std::ranges::sort(out, {}, &audit_line::seq);
            out.resize(limit);
        }
        scan.seek(keys::after_prefix(organization));
    }
    if (!scan.status().ok()) {
        return to_problem(scan.status(), "cannot read the audit log");
    }
    std::ranges::sort(out, {}, &audit_line::seq);
    out.resize(std::min(out.size(), limit));
    return out;
}

expected<std::optional<std::string>> read_audit_details(const store& s, const audit_line& line) {
    std::optional<std::string> out;
    const auto base = line.entity_seq - 1;
    const auto read = read_history(
        s, line.entity, base,
        [&](record&& r) -> expected<void> {
            if (r.seq == line.seq) {
                out = std::move(r.payload);
            }
            return {};
        },
        line.entity_seq);
    const bool gone = !read && (read.error().code == code::not_found || read.error().code == code::erased);
    return read || gone ? expected<std::optional<std::string>>(std::move(out)) : read.error();
}

expected<std::vector<audit_head>> read_audit_heads(const store& s, const std::optional<uuid>& organization) {
    std::vector<audit_head> out;
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        std::vector<uuid> organizations;
        if (organization) {
            organizations.push_back(*organization);
        } else {
            prefix_scan scan(*s.db().db, s.db().derived, keys::shard_table(shard, keys::table::audit));
            while (scan.valid()) {
                byte_reader in(scan.rest());
                organizations.push_back(in.id());
                scan.seek(keys::after_prefix(std::string(scan.rest().substr(0, 16))));
            }
        }
        for (const auto& each : organizations) {
            const auto head = read_head(s, shard, each);
            if (!head) {
                return head.error();
            }
            if (head->number > 0) {
                out.push_back(*head);
            }
        }
    }
    return out;
}

expected<void> drop_audit_lines(const store& s, std::uint32_t shard, std::uint64_t after_seq,
                                const std::function<void(std::string key)>& drop) {
    prefix_scan scan(*s.db().db, s.db().derived, keys::shard_table(shard, keys::table::audit));
    for (; scan.valid(); scan.next()) {
        if (get_big_endian<std::uint64_t>(scan.key().substr(scan.key().size() - 8)) > after_seq) {
            drop(std::string(scan.key()));
        }
    }
    return scan.status().ok() ? expected<void>()
                              : expected<void>(to_problem(scan.status(), "cannot read the audit log"));
}

} // namespace troupe::storage
