"""What a person writes about alerts: files of rules in, one frozen `RuleSet` or all mistakes at once out."""
