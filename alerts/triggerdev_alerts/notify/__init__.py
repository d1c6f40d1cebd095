"""From alerts to notifications: routes, groups, inhibition, silences, mutes, flapping, floods. Pure."""
