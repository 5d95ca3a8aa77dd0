#pragma once

#include "actors/kinds/browser/browser_desk.hpp"
#include "actors/kinds/deployer/deploy_desk.hpp"
#include "actors/run/run_performer.hpp"
#include "actors/tool/process_desk.hpp"
#include "runtime/config/config.hpp"
#include "storage/store.hpp"

#include <memory>

namespace troupe::actors {

/// What tools of runs work with that lives longer than a call, and ends with the node.
class run_desks {
public:
    /// Browsers in the folder `browsers` of the data, with the addresses of `tools.fetch.allow`, each ended with its
    /// run as the store has it; processes likewise, in `processes`; the targets that `deploy.json` in the data lists.
    /// What is given outlives `stop`.
    static expected<std::unique_ptr<run_desks>> open(const runtime::config& settings, runtime::sandbox& commands,
                                                     const storage::store& store);

    void give_to(run_services& services) {
        services.browsers = &browsers_;
        services.deployments = &deployments_;
        services.processes = &processes_;
    }

    /// Ends all that they have begun. Blocks.
    void stop();

private:
    run_desks(browser_desk::settings browsers, process_desk::settings processes,
              std::vector<runtime::deploy_target> targets, runtime::sandbox& commands)
        : browsers_(std::move(browsers)),
          processes_(std::move(processes)),
          deployments_(std::move(targets), commands) {}

    browser_desk browsers_;
    process_desk processes_;
    deploy_desk deployments_;
};

} // namespace troupe::actors
