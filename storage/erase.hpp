#pragma once

#include "schemas/base/problem.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>

/// What is left to do when a key was destroyed: its contents are unreadable from that moment on, and what could still
/// be found by rows of them goes.
namespace troupe::storage {

struct removed_rows {
    std::uint64_t entities = 0;
    std::uint64_t rows = 0;
    std::uint64_t blobs = 0;
};

/// Removes all derived rows of entities whose newest event is sealed with a destroyed key, and the blobs of erased
/// organizations. The log keeps its records, as ciphertext: the audit chain is over them. Lines of the audit log stay;
/// what they said of the client of an erased person cannot be read. Blocks; a repeat goes on. `progress` is called
/// at each step; `stop` ends it early, with `cancelled`.
expected<removed_rows> remove_erased(store& s, const std::function<void()>& progress, std::stop_token stop = {});

/// A note in the folder of keys that `remove_erased` has to be done, if a key there was destroyed: for the next start.
expected<void> owe_removal(const std::filesystem::path& keys_folder);
bool owes_removal(const store& s);
/// After `remove_erased`.
expected<void> settle_removal(const store& s);

} // namespace troupe::storage
