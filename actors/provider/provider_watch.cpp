#include "actors/provider/provider_watch.hpp"

#include <functional>
#include <stop_token>
#include <utility>

namespace troupe::actors {

struct provider_watch::provider {
    std::mutex mutex; ///< Guards the entry, which belongs to one thread at a time.
    runtime::supervision_tree::entry entry;
    std::shared_ptr<runtime::actor_figures> figures = std::make_shared<runtime::actor_figures>();
    bool failing = false;

    void ended(const expected<net::model_reply>& reply) {
        const bool failed =
            !reply &&
            (reply.error().code == code::model_unavailable || reply.error().code == code::model_rate_limited ||
             reply.error().code == code::deadline_exceeded || reply.error().code == code::model_reply_invalid);
        const std::lock_guard lock(mutex);
        if (failed) {
            entry.failed(reply.error().detail);
        } else if (reply && failing) {
            entry.set_status(runtime::node_status::running);
        }
        failing = failed || (failing && !reply);
    }

    class watched final : public net::model {
    public:
        watched(std::shared_ptr<provider> p, std::shared_ptr<net::model> m)
            : provider_(std::move(p)), model_(std::move(m)) {}

        [[nodiscard]] std::string describe() const override { return model_->describe(); }

        expected<net::model_reply> complete(const net::model_request& request, std::stop_token stop,
                                            const std::function<void(std::string_view)>& on_token) override {
            const at_work here(*provider_->figures);
            auto reply = model_->complete(request, std::move(stop), on_token);
            provider_->ended(reply);
            return reply;
        }

    private:
        struct at_work {
            explicit at_work(runtime::actor_figures& f) : figures(f) {
                ++figures.waiting;
                ++figures.messages;
            }
            ~at_work() { --figures.waiting; }
            at_work(const at_work&) = delete;
            runtime::actor_figures& figures;
        };
        std::shared_ptr<provider> provider_;
        std::shared_ptr<net::model> model_;
    };
};

provider_watch::provider_watch(runtime::supervision_tree& tree, std::string path)
    : tree_(tree), path_(std::move(path)) {}

provider_watch::~provider_watch() = default;

std::shared_ptr<provider_watch::provider> provider_watch::of(std::string_view model_name) {
    const auto name = std::string(model_name.substr(0, model_name.find_first_of("/:")));
    const std::lock_guard lock(mutex_);
    auto& found = providers_[name];
    if (!found) {
        found = std::make_shared<provider>();
        found->entry = tree_.add(path_ + "/" + name, "provider");
        found->entry.set_policy("called from the threads of runs, which try again after 1 s, doubling to 60 s");
        found->entry.show(found->figures);
    }
    return found;
}

void provider_watch::show(std::string_view model_name) { of(model_name); }

std::shared_ptr<net::model> provider_watch::watch(std::string_view model_name, std::shared_ptr<net::model> model) {
    return std::make_shared<provider::watched>(of(model_name), std::move(model));
}

} // namespace troupe::actors
