#pragma once

#include "actors/kinds/deployer/deploy_plan.hpp"
#include "schemas/base/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::actors {

/// What a deployment was begun with.
struct deploy_header {
    std::string id; ///< The key of the call.
    deploy_strategy strategy = deploy_strategy::all_at_once;
    int percent = 0;
    std::uint64_t release = 0;
};
BOOST_DESCRIBE_STRUCT(deploy_header, (), (id, strategy, percent, release))

/// What became of a deployment until its node died.
struct deploy_record {
    deploy_header header;
    deployment progress;
    bool begun = false; ///< The next step was begun: it may have been done.
};

/// Reads the text of a journal; nothing: none was begun in it. A line that was torn at the end does not count.
/// `storage_failed` when it is of another shape, `invalid_request` as of `plan_steps`.
expected<std::optional<deploy_record>> read_journal(std::string_view text, const runtime::deploy_target& target);

/// The journal of the last deployment to a target: a line before and after each step, on disk before the call returns.
/// Who has it open is the only one who deploys there.
class deploy_journal {
public:
    /// `conflict` when somebody else has it open.
    static expected<deploy_journal> open(const runtime::deploy_target& target);

    /// As it was found.
    expected<std::optional<deploy_record>> read() const;
    /// Of a new one; what stood in the journal is kept beside it as `journal.before`.
    expected<void> begin(const deploy_header& header);
    expected<void> step_begun(std::size_t number, const planned_step& step);
    expected<void> step_ended(std::size_t number, bool succeeded, const std::string& why);

private:
    deploy_journal(const runtime::deploy_target& target, unique_fd lock) : target_(&target), lock_(std::move(lock)) {}

    [[nodiscard]] std::filesystem::path file() const;
    expected<void> add(const std::string& line);

    const runtime::deploy_target* target_;
    unique_fd lock_;
};

} // namespace troupe::actors
