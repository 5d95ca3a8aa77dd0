#include "storage/blob_rows.hpp"
#include "storage/blobs.hpp"
#include "storage/keys.hpp"
#include "storage/log_reader.hpp"
#include "storage/rocks.hpp"
#include "storage/sealing.hpp"
#include "storage/views.hpp"

namespace troupe::storage {

namespace {

void note(std::optional<problem>& first, const problem& p) {
    if (!first) {
        first = p;
    }
}

problem of_organization(problem p, const uuid& organization) {
    p.detail += " (organization " + to_string(organization) + ")";
    return p;
}

} // namespace

void verify_blobs(const store& s, verification& out, const std::function<void(std::uint64_t)>& progress) {
    const auto read = each_blob(s, "", [&](const blob_row& row) {
        if (!row.head) {
            ++out.blobs_unfinished;
            return true;
        }
        if (auto whole = verify_blob(s, row.organization, row.hash);
            !whole && !is_meant_to_be_closed(s, whole.error())) {
            ++out.blobs_damaged;
            note(out.first_bad_blob, of_organization(whole.error(), row.organization));
        }
        ++out.blobs;
        out.blob_bytes += row.head->size;
        progress(out.records);
        return true;
    });
    if (!read) {
        note(out.first_bad_blob, read.error());
    }
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        auto referred = each_reference(s, shard, [&](const entity_address& a, const blob_hash& hash) {
            ++out.references;
            const auto head = read_blob_head(s, a.organization, hash);
            if (!head || !*head) {
                ++out.blobs_missing;
                note(out.first_bad_blob,
                     head ? problem{code::journal_damaged, to_string(a) + " names the content " +
                                                               to_hex(as_bytes(hash)) + ", which is not there"}
                          : head.error());
            }
            return true;
        });
        if (!referred) {
            note(out.first_bad_blob, referred.error());
        }
    }
}

} // namespace troupe::storage
