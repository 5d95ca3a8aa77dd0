#include "runtime/entity/actors.hpp"
#include "runtime/supervision/stall_watch.hpp"
#include "runtime/supervision/supervisor_actor.hpp"
#include "runtime/supervision/tree.hpp"
#include "schemas/base/limits.hpp"
#include "schemas/base/log.hpp"

#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <algorithm>
#include <cstdlib>

namespace troupe::runtime {

void fatal(std::string_view why) {
    auto& log = log_for("runtime");
    log.critical("{}; the node ends now, so that nothing is shown that is not on disk", why);
    log.flush();
    std::_Exit(70);
}

namespace {

class committer_impl : public committer_actor::base, private stall_subject {
public:
    committer_impl(caf::actor_config& config, host_services& services, std::unique_ptr<storage::committer> owned)
        : committer_actor::base(config), services_(services), committer_(std::move(owned)) {
        if (services_.committer_figures) {
            services_.committer_figures->waiting = 0; // what an earlier one had is lost
        }
    }

    const char* name() const override { return "committer"; }

    /// A promise holds this very actor: one that is kept would keep the actor, with its appends, for ever.
    void on_exit() override { waiting_.clear(); }

    resume_result resume(caf::execution_unit* unit, std::size_t throughput_max) override {
        const watched_work work(services_.watch, "committer", *this);
        return committer_actor::base::resume(unit, throughput_max);
    }

    behavior_type make_behavior() override {
        report_failures(*this, stall_path(), services_.letters);
        return {[this](const activate_msg& m) {
                    if (std::any_of(waiting_.begin(), waiting_.end(),
                                    [&](const job& j) { return j.append->entity == m.entity; })) {
                        flush();
                    }
                    return activated_msg{committer_->activate(m.entity)};
                },
                [this](const append_msg& m) {
                    auto promise = make_response_promise<appended_msg>();
                    if (waiting_.empty()) {
                        // Behind all that queued up during the last fsync: that is the group of the next one.
                        anon_send(caf::actor_cast<committer_actor>(this), flush_msg{});
                    }
                    waiting_.push_back({m.append, promise});
                    return promise;
                },
                [this](const release_msg& m) { committer_->release(m.entity, m.activation); },
                [this](const flush_msg&) { flush(); }, [this](const trim_msg& m) { return trim(m); }};
    }

private:
    [[nodiscard]] std::string stall_path() const override { return services_.settings.node_path + "/committer"; }
    [[nodiscard]] bool is_core() const override { return true; }

    struct job {
        std::shared_ptr<storage::append> append;
        caf::typed_response_promise<appended_msg> promise;
    };

    static std::size_t bytes_of(const storage::append& a) {
        std::size_t bytes = 0;
        for (const auto& r : a.records) {
            bytes += r.payload.size() + 256;
        }
        return bytes;
    }

    void flush() {
        auto rest = std::exchange(waiting_, {});
        for (std::size_t begin = 0; begin < rest.size();) {
            std::size_t end = begin;
            for (std::size_t bytes = 0; end < rest.size() && (end == begin || bytes < limits::commit_batch_bytes);
                 ++end) {
                bytes += bytes_of(*rest[end].append);
            }
            if (!commit(std::span(rest).subspan(begin, end - begin))) {
                return;
            }
            begin = end;
        }
    }

    /// False after the end of a simulated process: nothing is answered any more.
    bool commit(std::span<job> jobs) {
        batch_.clear();
        for (auto& j : jobs) {
            batch_.push_back(std::move(*j.append));
        }
        if (auto written = committer_->commit(batch_, results_); !written) {
            services_.end_process(written.error().detail);
            quit(caf::exit_reason::kill);
            return false;
        }
        ++services_.commits;
        services_.appends.fetch_add(jobs.size(), std::memory_order_relaxed);
        if (services_.committer_figures) {
            const auto count = static_cast<std::int64_t>(jobs.size());
            services_.committer_figures->waiting.fetch_sub(count, std::memory_order_relaxed);
            services_.committer_figures->messages.fetch_add(count, std::memory_order_relaxed);
        }
        for (std::size_t i = 0; i < jobs.size(); ++i) {
            if (results_[i] && !batch_[i].records.empty() && services_.on_committed) {
                services_.on_committed(batch_[i].records);
            }
            batch_[i].claim.give_back(0); // of a refused one; the others' is counted
            jobs[i].promise.deliver(appended_msg{std::move(results_[i])});
        }
        return true;
    }

    trimmed_msg trim(const trim_msg& m) {
        trimmed_msg out{committer_->trim(m.shard, m.to)};
        if (!out.result && out.result.error().code != code::conflict) {
            services_.end_process(out.result.error().detail);
            quit(caf::exit_reason::kill);
        }
        return out;
    }

    host_services& services_;
    std::unique_ptr<storage::committer> committer_;
    std::vector<job> waiting_;
    std::vector<storage::append> batch_;
    std::vector<expected<storage::appended>> results_;
};

} // namespace

committer_actor spawn_committer(caf::actor_system& system, host_services& services,
                                std::unique_ptr<storage::committer> owned, bool detached) {
    return detached ? system.spawn<committer_impl, caf::detached>(services, std::move(owned))
                    : system.spawn<committer_impl>(services, std::move(owned));
}

} // namespace troupe::runtime
