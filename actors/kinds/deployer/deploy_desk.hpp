#pragma once

#include "runtime/config/deploy_targets.hpp"
#include "runtime/process/sandbox.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::actors {

/// A release of a process target, and where it serves.
struct served_release {
    std::uint64_t release = 0;
    std::uint16_t port = 0;

    auto operator<=>(const served_release&) const = default;
};
BOOST_DESCRIBE_STRUCT(served_release, (), (release, port))

/// What a target serves, as FOLDER/state.json has it.
struct target_state {
    std::optional<served_release> active;
    std::optional<served_release> candidate; ///< Brought up beside it.
    std::optional<served_release> before;    ///< To go back to.
    bool before_runs = false;
};
BOOST_DESCRIBE_STRUCT(target_state, (), (active, candidate, before, before_runs))

/// The targets of a node, and the processes of those that it runs itself: in the sandbox, with their release as the
/// folder that they may write to; started again when they end, and with the node. Thread-safe.
class deploy_desk {
public:
    /// Starts what the targets serve. `commands` outlives it.
    deploy_desk(std::vector<runtime::deploy_target> targets, runtime::sandbox& commands);
    ~deploy_desk();

    [[nodiscard]] const std::vector<runtime::deploy_target>& targets() const { return targets_; }
    [[nodiscard]] const runtime::deploy_target* find(std::string_view name) const;

    /// Of a target that nothing was deployed to it is empty.
    static expected<target_state> read(const runtime::deploy_target& target);
    /// Durable; then the processes are as it says: what is not served any more has ended when this returns. The link
    /// `current` leads to the active release.
    expected<void> write(const runtime::deploy_target& target, const target_state& state);

    /// Ends all processes. Blocks.
    void stop();

private:
    class served_process;

    void serve(const runtime::deploy_target& target, const target_state& state);

    const std::vector<runtime::deploy_target> targets_;
    runtime::sandbox& commands_;
    std::mutex mutex_;
    bool stopped_ = false;
    std::map<std::pair<std::string, served_release>, std::unique_ptr<served_process>> processes_;
};

std::filesystem::path release_folder(const runtime::deploy_target& target, std::uint64_t release);

} // namespace troupe::actors
