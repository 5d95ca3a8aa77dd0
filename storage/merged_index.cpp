#include "storage/merged_index.hpp"

#include "storage/keys.hpp"
#include "storage/sealing.hpp"

#include <rocksdb/db.h>

namespace troupe::storage {

merged_index::merged_index(const store& s, const list_query& query, const std::string& after)
    : store_(s), query_(query), filter_(index_names::for_reading(s, query.organization)(query.filter)) {
    if (after.empty()) {
        start_at_heads();
        return;
    }
    open();
    for (std::uint32_t shard = 0; shard < store_.who().shards; ++shard) {
        advance(shard, after);
    }
}

std::optional<std::string> merged_index::next() {
    while (!heap_.empty()) {
        auto [suffix, shard] = heap_.top();
        heap_.pop();
        if (advance(shard, suffix)) { // else it was the head of the shard, and went a moment ago
            return suffix;
        }
    }
    return std::nullopt;
}

void merged_index::open() {
    rocksdb::ReadOptions options;
    options.total_order_seek = true;
    iterator_.reset(store_.db().db->NewIterator(options, store_.db().derived));
}

void merged_index::start_at_heads() {
    auto& heads = *store_.db().heads;
    const auto list =
        keys::index_prefix(0, query_.organization, query_.kind, filter_) + (query_.descending ? '-' : '+');
    const auto known = heads.find(list);
    auto places = known ? *known : list_heads::places(store_.who().shards);
    std::vector<std::uint32_t> unknown;
    for (std::uint32_t shard = 0; shard < places.size(); ++shard) {
        const auto version = heads.version(shard);
        if (!known || places[shard].version != version) {
            places[shard].version = version;
            unknown.push_back(shard);
        }
    }
    open(); // it sees at least what was there at those versions
    for (const auto shard : unknown) {
        places[shard].first = first_after(shard, "").second;
    }
    for (std::uint32_t shard = 0; shard < places.size(); ++shard) {
        if (!places[shard].first.empty()) {
            heap_.emplace(places[shard].first, shard);
        }
    }
    if (!unknown.empty() && failed_.ok()) {
        heads.keep(list, std::move(places));
    }
}

bool merged_index::advance(std::uint32_t shard, const std::string& after) {
    auto [there, suffix] = first_after(shard, after);
    if (!suffix.empty()) {
        heap_.emplace(std::move(suffix), shard);
    }
    return there;
}

std::pair<bool, std::string> merged_index::first_after(std::uint32_t shard, const std::string& after) {
    const auto prefix = keys::index_prefix(shard, query_.organization, query_.kind, filter_);
    const auto from = query_.descending && after.empty() ? keys::after_prefix(prefix) : prefix + after;
    query_.descending ? iterator_->SeekForPrev(from) : iterator_->Seek(from);
    const bool there = iterator_->Valid() && iterator_->key() == rocksdb::Slice(from);
    if (there) { // the bound itself is not part of the list
        query_.descending ? iterator_->Prev() : iterator_->Next();
    }
    if (!iterator_->Valid() && failed_.ok()) {
        failed_ = iterator_->status();
    }
    const bool follows = iterator_->Valid() && iterator_->key().starts_with(prefix);
    return {there, follows ? iterator_->key().ToString().substr(prefix.size()) : std::string()};
}

} // namespace troupe::storage
