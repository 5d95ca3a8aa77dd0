#include "actors/identity/oidc_desk.hpp"

#include <algorithm>
#include <utility>

namespace troupe::actors {
namespace {

constexpr unsigned threads = 4; // so many people wait for issuers at the same time
constexpr int waiting_max = 64; // further ones are told to come back

} // namespace

oidc_desk::oidc_desk(std::vector<runtime::oidc_provider> providers, const oidc_issuer::secret_finder& find_secret)
    : threads_(threads) {
    for (auto& p : providers) {
        issuers_.push_back(std::make_unique<oidc_issuer>(std::move(p), find_secret));
    }
}

oidc_desk::~oidc_desk() { stop_.request_stop(); }

oidc_issuer* oidc_desk::find(std::string_view name) const {
    const auto found = std::ranges::find_if(issuers_, [&](const auto& i) { return i->settings().name == name; });
    return found == issuers_.end() ? nullptr : found->get();
}

bool oidc_desk::run(std::function<void(std::stop_token)> work) {
    if (waiting_.fetch_add(1) >= waiting_max) {
        waiting_.fetch_sub(1);
        return false;
    }
    threads_.post([this, work = std::move(work)] {
        work(stop_.get_token());
        waiting_.fetch_sub(1);
    });
    return true;
}

} // namespace troupe::actors
