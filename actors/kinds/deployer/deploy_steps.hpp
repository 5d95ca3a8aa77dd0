#pragma once

#include "actors/kinds/deployer/deploy_desk.hpp"
#include "actors/kinds/deployer/deploy_journal.hpp"
#include "actors/tool/tool.hpp"

#include <cstdint>
#include <stop_token>
#include <string>

namespace troupe::actors {

/// Performs the steps of one deployment. Each may be performed again when its node died in it: commands run under the
/// runner, which knows whether they did; the rest comes to the same.
class deploy_steps {
public:
    /// `percent` of the use was given to the new one before.
    deploy_steps(deploy_desk& desk, const runtime::deploy_target& target, deploy_header header, int percent,
                 const tool_environment& where)
        : desk_(desk), target_(target), header_(std::move(header)), where_(where), percent_(percent) {}

    /// Words for people, or why it failed. Blocks; a step that undoes does not stop for `stop`.
    expected<std::string> perform(const planned_step& step, std::size_t number);

    /// The number of the next release.
    static std::uint64_t next_release(const runtime::deploy_target& target);

private:
    expected<std::string> run(const std::vector<std::string>& command, std::size_t number, const planned_step& step);
    expected<std::string> run_in_project(const std::string& line, std::size_t number, const planned_step& step);
    expected<std::string> put_aside();
    expected<std::string> prepare(std::size_t number, const planned_step& step);
    expected<std::string> change(std::size_t number, const planned_step& step);
    expected<std::string> change_back(std::size_t number, const planned_step& step);
    expected<std::string> withdraw();
    expected<std::string> retire(std::size_t number, const planned_step& step);
    expected<std::string> discard();
    expected<std::string> become_healthy();
    expected<std::string> stay_healthy();
    /// Where the new release is asked for its health.
    expected<std::string> health_url() const;
    expected<void> ask_health() const;
    void remove_old_releases(const target_state& state) const;
    void rest(std::int64_t time_ms) const;

    deploy_desk& desk_;
    const runtime::deploy_target& target_;
    const deploy_header header_;
    const tool_environment& where_;
    int percent_ = 0;        ///< Of the use, that was given to the new one.
    std::uint16_t port_ = 0; ///< What `change` is told.
};

} // namespace troupe::actors
