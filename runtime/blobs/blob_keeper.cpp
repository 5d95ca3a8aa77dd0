#include "runtime/blobs/blob_keeper.hpp"

#include "runtime/metrics/metrics.hpp"
#include "runtime/supervision/supervisor_actor.hpp"
#include "schemas/base/log.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

namespace troupe::runtime {

namespace {

constexpr std::int64_t pause_ms = 10;          ///< Between two steps.
constexpr std::int64_t first_pass_ms = 60'000; ///< After the start, so that nodes that often start collect, too.
constexpr std::int64_t after_failure_ms = 60'000;

using step_atom = caf::atom_constant<caf::atom("bl_step")>;

} // namespace

class blob_keeper::worker : public caf::event_based_actor {
public:
    worker(caf::actor_config& config, std::string path, dead_letters* letters, blob_keeper& keeper)
        : caf::event_based_actor(config), path_(std::move(path)), letters_(letters), keeper_(keeper) {}

    const char* name() const override { return "blobs"; }

    caf::behavior make_behavior() override {
        report_failures(*this, path_, letters_);
        again(std::min(keeper_.every_ms_, first_pass_ms));
        return {[this](step_atom) { again(keeper_.step()); }};
    }

private:
    void again(std::int64_t after_ms) { delayed_send(this, std::chrono::milliseconds(after_ms), step_atom::value); }

    std::string path_;
    dead_letters* letters_;
    blob_keeper& keeper_;
};

blob_keeper::blob_keeper(storage::store& s, const config& settings, std::function<timestamp()> clock)
    : clock_(std::move(clock)),
      every_ms_(settings.blobs_collect_every_ms),
      // A mark may be as much older than what it says as two looks lie apart.
      collector_(s, {.grace_ms = settings.blobs_grace_ms + settings.blobs_collect_every_ms}) {}

blob_keeper::~blob_keeper() = default;

void blob_keeper::cancel() { collector_.cancel(); }

std::int64_t blob_keeper::step() {
    if (began_ms_ == 0) {
        began_ms_ = monotonic_ms();
    }
    const auto over = collector_.step(clock_());
    if (!over) {
        log_for("blobs").error("the search for contents that nothing names ended: {}", over.error().detail);
        began_ms_ = 0;
        return std::max(every_ms_, after_failure_ms);
    }
    if (!*over) {
        return pause_ms;
    }
    report(std::exchange(began_ms_, 0));
    if (auto compacted = collector_.compact(); !compacted) {
        log_for("blobs").error("{}", compacted.error().detail);
    }
    return every_ms_;
}

void blob_keeper::report(std::int64_t began_ms) {
    static auto& passes = metrics().make_counter("troupe_blob_passes_total", "Searches for blobs that nothing names.");
    static auto& collected = metrics().make_counter("troupe_blobs_collected_total", "Blobs that were collected.");
    static auto& collected_bytes =
        metrics().make_counter("troupe_blobs_collected_bytes_total", "Bytes of the blobs that were collected.");
    static auto& blobs = metrics().make_gauge("troupe_blobs", "Blobs, as the last search saw them.");
    static auto& bytes = metrics().make_gauge("troupe_blobs_bytes", "Their bytes.");
    static auto& unnamed = metrics().make_gauge("troupe_blobs_unnamed",
                                                "Blobs that nothing names and that wait for the end of their grace.");
    const auto& seen = collector_.seen();
    passes.add();
    collected.add(seen.collected);
    collected_bytes.add(seen.collected_bytes);
    blobs.set(static_cast<double>(seen.blobs));
    bytes.set(static_cast<double>(seen.bytes));
    unnamed.set(static_cast<double>(seen.unnamed));
    if (seen.collected > 0) {
        log_for("blobs").info("{} contents of {} bytes that nothing names were collected; {} are left, after {} ms",
                              seen.collected, seen.collected_bytes, seen.blobs, monotonic_ms() - began_ms);
    }
}

supervised_child blob_keeper::child() {
    return {{.id = "blobs", .label = "blobs"}, [this](const child_context& c) {
                return caf::actor(c.system.spawn<worker, caf::detached>(c.path, c.letters, *this));
            }};
}

} // namespace troupe::runtime
